# SPDX-License-Identifier: GPL-2.0-or-later
"""What libvirt's DNS server answers: the network's domain, entries, and whom it asks for the rest.

Source: libvirt, "Network XML format", "General metadata" (`<domain>`) and "Addressing" (`<dns>`).
"""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from topologies.data_error import shown
from topologies.field_types import Address, refuse, text
from topologies.part import Part

LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
NAME_PATTERN = re.compile(rf"{LABEL}(\.{LABEL})*")  # lab.example, _ldap._tcp.lab.example
WORD_PATTERN = re.compile(r"[A-Za-z0-9-]+")  # ldap
NAME_MAX = 253  # RFC 1035, 2.3.4, as text


def _domain_name(value: object) -> str:
    expected = "a domain name, as in lab.example"
    name = text(value, expected, "write it in quotes if it looks like a number")
    if len(name) > NAME_MAX or not NAME_PATTERN.fullmatch(name):
        raise refuse(
            f"{shown(name)} is not a domain name; expected {expected}",
            "write letters, digits and '-' between dots, without a dot at either end",
        )
    return name.lower()


def _word(value: object) -> str:
    expected = "a word without a leading '_', as in ldap"
    word = text(value, expected, "write it in quotes if it looks like a number")
    if not WORD_PATTERN.fullmatch(word):
        raise refuse(f"{shown(word)} cannot be used here; expected {expected}", "correct it")
    return word


DomainName = Annotated[str, BeforeValidator(_domain_name)]
"""A domain name in lower case, without the dot at its end."""
Word = Annotated[str, BeforeValidator(_word)]
"""A service or protocol of an SRV record; libvirt adds the underscore."""


class Domain(Part):
    """The domain of a network: `<domain name=… localOnly=…/>`."""

    name: DomainName = Field(description="The domain of the guests' names.")
    local_only: bool = Field(
        default=False,
        description="true: names of the domain that the network's server does not know are not "
        "asked of others.",
    )


class DnsHost(Part):
    """An address with its names: `<host ip=…><hostname>` below `<dns>`."""

    ip: Address = Field(description="The address.")
    names: Annotated[tuple[DomainName, ...], Field(strict=False)] = Field(
        min_length=1, description="Its names."
    )


class DnsTxt(Part):
    """A TXT record: `<txt name=… value=…/>`."""

    name: DomainName = Field(description="The record's name.")
    value: str = Field(min_length=1, max_length=255, description="Its text.")


class DnsSrv(Part):
    """An SRV record: `<srv service=… protocol=… …/>`."""

    service: Word = Field(description="The service, as in ldap.")
    protocol: Word = Field(description="tcp or udp.")
    domain: DomainName | None = Field(
        default=None, description="The domain of the service; null: the network's."
    )
    target: DomainName = Field(description="The host that has it.")
    port: int = Field(ge=1, le=65535, description="Its port.")
    priority: int | None = Field(
        default=None, ge=0, le=65535, description="Its priority; null: dnsmasq's, 0."
    )
    weight: int | None = Field(
        default=None, ge=0, le=65535, description="Its weight; null: dnsmasq's, 0."
    )


class Forwarder(Part):
    """A server for what the network's own does not know: `<forwarder domain=… addr=…/>`."""

    address: Address | None = Field(
        default=None, description="The server; null: those of the host's resolver."
    )
    domain: DomainName | None = Field(
        default=None, description="The domain whose names it is asked for; null: all others."
    )


class Dns(Part):
    """libvirt's DNS server of a network: `<dns>`."""

    enable: bool = Field(default=True, description="false: there is none.")
    forward_plain_names: bool = Field(
        default=True, description="false: names without a dot are not asked of other servers."
    )
    forwarders: Annotated[tuple[Forwarder, ...], Field(strict=False)] = Field(
        default=(), description="Whom it asks for what it does not know; none: the host's resolver."
    )
    hosts: Annotated[tuple[DnsHost, ...], Field(strict=False)] = Field(
        default=(), description="Addresses with their names."
    )
    txt: Annotated[tuple[DnsTxt, ...], Field(strict=False)] = Field(
        default=(), description="TXT records."
    )
    srv: Annotated[tuple[DnsSrv, ...], Field(strict=False)] = Field(
        default=(), description="SRV records."
    )
