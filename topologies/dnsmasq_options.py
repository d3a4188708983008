# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of dnsmasq's configuration that libvirt passes through: what they change of its answers.

A check expects what libvirt's own configuration says. Where a network's user has asked dnsmasq to
do otherwise, the claims about that are not decided. Source: dnsmasq(8).
"""

from collections.abc import Iterator, Mapping
from typing import Final

DHCP_OPTION: Final = "dhcp-option"
OPTION_WORD: Final = "option:"
OPTION6_WORD: Final = "option6:"
OF_RESOLVERS6: Final = ("option6:23", "option6:dns-server")
# dnsmasq's names (`dnsmasq --help dhcp`) of options that are often given.
NUMBERS: Final[Mapping[str, int]] = {
    "netmask": 1,
    "router": 3,
    "dns-server": 6,
    "domain-name": 15,
    "mtu": 26,
    "static-route": 33,
    "ntp-server": 42,
    "lease-time": 51,
    "T1": 58,
    "T2": 59,
    "tftp-server": 66,
    "bootfile-name": 67,
    "classless-static-route": 121,
}

LEASED: Final = ("NT-05", "NT-06", "IS-05", "RT-06", "OP-06")
# By another router a guest's packets go another way.
ROUTED: Final = (
    *LEASED,
    *("NT-09", "NT-10", "NT-13", "NT-14", "NT-22", "NT-23", "RT-02", "RT-03", "RT-05"),
    *("OP-02", "OP-03", "OP-04"),
)
# Of DHCPv6, and of the router advertisements that say where addresses are to be had.
LEASED6: Final = ("V6-16", "V6-17", "V6-18", "V6-19")
ADVERTISED: Final = ("V6-01", "V6-02", "V6-06", *LEASED6)
SERVED: Final = (
    *(*LEASED, "NT-04", "NT-07", "DH-01", "DH-02", "DH-03", "DH-04", "DH-05", "DH-08"),
    *LEASED6,
)
BOOTED: Final = ("DH-06",)
FORWARDED: Final = ("NT-21", "DN-02", "DN-06", "DN-07")
ANSWERED: Final = (*FORWARDED, "DN-01", "DN-03", "DN-04", "DN-05", "DN-08", "DN-09")
# By another MTU than the network's a guest sends packets of another size.
SIZED: Final = ("MT-01", "MT-02", "MT-03", "MT-04")
EVERYTHING: Final = tuple(
    dict.fromkeys((*SERVED, *BOOTED, "DH-07", *ANSWERED, *SIZED, *ADVERTISED))
)

# What an option of a lease takes the ground from, by its number (RFC 2132, RFC 3442).
OF_LEASES: Final[Mapping[int, tuple[str, ...]]] = {
    1: LEASED,
    3: ROUTED,
    6: (*LEASED, "DN-05"),
    15: ("DN-01",),
    26: SIZED,
    33: ROUTED,
    51: ("NT-07", "DH-03", "DH-04"),
    54: SERVED,
    58: ("DH-03",),
    59: ("DH-03",),
    66: BOOTED,
    67: BOOTED,
    121: ROUTED,
    249: ROUTED,
}
# What another option takes it from. Leases and entries come before what is given for a domain.
OF_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("log-queries", "log-dhcp", "log-facility", "log-async", "quiet-dhcp"), ()),
    **dict.fromkeys(("cache-size", "dns-forward-max", "edns-packet-max", "no-negcache"), ()),
    **dict.fromkeys(("neg-ttl", "local-ttl", "max-ttl", "max-cache-ttl", "min-cache-ttl"), ()),
    **dict.fromkeys(("cname", "mx-host", "naptr-record", "no-hosts", "domain-needed"), ()),
    **dict.fromkeys(("bogus-priv", "filterwin2k", "dhcp-authoritative"), ()),
    **dict.fromkeys(("dhcp-match", "dhcp-vendorclass", "dhcp-userclass", "dhcp-mac"), ()),
    **dict.fromkeys(("host-record", "ptr-record", "addn-hosts", "hostsdir"), ("DN-03",)),
    **dict.fromkeys(("txt-record", "srv-host"), ("DN-04",)),
    **dict.fromkeys(("no-resolv", "resolv-file", "strict-order", "all-servers"), FORWARDED),
    **dict.fromkeys(("no-poll", "dnssec", "stop-dns-rebind"), FORWARDED),
    **dict.fromkeys(("domain", "expand-hosts", "dhcp-fqdn"), ("DN-01", "DN-02", "DN-08", "NT-21")),
    **dict.fromkeys(("dhcp-boot", "pxe-service", "pxe-prompt", "dhcp-no-override"), BOOTED),
    **dict.fromkeys(("enable-tftp", "tftp-root", "tftp-no-blocksize", "tftp-secure"), BOOTED),
    **dict.fromkeys(("dhcp-range", "dhcp-host", "dhcp-hostsfile", "dhcp-ignore"), SERVED),
    **dict.fromkeys(("dhcp-lease-max", "dhcp-leasefile", "leasefile-ro", "dhcp-script"), SERVED),
    "no-ping": ("DH-05",),
}
# Given for domains, as in address=/apps.example/192.0.2.1; `#` is every domain.
OF_DOMAINS: Final = ("address", "server", "local", "rev-server")
OF_A_DOMAIN: Final = ("DN-02", "DN-06")


def option_number(word: str) -> int | None:
    """Return the number of an option of a lease, as in `42` or `option:ntp-server`; None: another.

    Args:
        word: the first word of a `dhcp-option`.
    """
    name = word.removeprefix(OPTION_WORD)
    return int(name) if name.isdecimal() else NUMBERS.get(name)


def undecided_by(option: str) -> tuple[str, ...]:
    """Return the claims that an option takes the ground from: dnsmasq is to do otherwise.

    Args:
        option: a line of its configuration, as in `dhcp-option=42,10.10.10.1`.
    """
    name, _, value = option.partition("=")
    if name in (DHCP_OPTION, f"{DHCP_OPTION}-force"):
        return tuple(dict.fromkeys(_of_lease(value)))
    if name in OF_DOMAINS:
        # Without a domain value is the server's address.
        domains = value.split("/")[1:-1]
        return OF_A_DOMAIN if domains and not {"", "#"} & set(domains) else FORWARDED
    return OF_OPTIONS.get(name, EVERYTHING)


def _of_lease(value: str) -> Iterator[str]:
    """Give what an option of a lease, or one for clients with a tag, takes the ground from."""
    words = value.split(",")
    # dhcp-option=tag:pxe,option:router,10.10.10.1
    word = next((each for each in words if not each.startswith(("tag:", "net:"))), "")
    number = option_number(word)
    if word.startswith(OPTION6_WORD):
        # Name servers are in the advertisements as well (dnsmasq(8), --enable-ra).
        yield from ADVERTISED if word in OF_RESOLVERS6 else ()
        return
    if number is None and word.startswith((OPTION_WORD, "encap:", "vi-encap:")):
        # Of a vendor, or one that no check reads.
        return
    yield from SERVED if number is None else OF_LEASES.get(number, ())
