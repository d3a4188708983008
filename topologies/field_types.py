# SPDX-License-Identifier: GPL-2.0-or-later
"""The types of single values in a topology file, each with an error that shows the right form.

YAML hands over text, numbers, truth values and null. A value is taken as it is written or refused:
nothing is converted silently, because a MAC that became a number is a different MAC.
"""

import re
from collections.abc import Callable
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    NetmaskValueError,
)
from typing import Annotated, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from contracts.plan import HOST
from topologies.data_error import shown

# IFNAMSIZ is 16 with its closing NUL byte (linux/if.h).
INTERFACE_NAME_MAX = 15
# The kernel keeps "all" and "default" as folders beside the interfaces in net.ipv4.conf; the
# others exist already wherever they can exist.
RESERVED_INTERFACE_NAMES = frozenset({"all", "default", "lo", "ovs-netdev", "ovs-system"})
DHCP = "dhcp"
ETHERNET_MTU = 1500  # IEEE 802.3
IPV4_MTU_MIN = 576  # RFC 791, 3.1: what each host must be prepared to take
IPV6_MTU_MIN = 1280  # RFC 8200, 5: without it the kernel turns IPv6 off on a link
TAP_MTU_MAX = 65521  # linux, drivers/net/tun.c: 65535 without an Ethernet header

MAC_PATTERN = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")  # 52:54:00:55:9b:d6
INTERFACE_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # virbr0-nic, eth0.129
TOPOLOGY_PATTERN = re.compile(r"[a-z0-9-]{1,32}")  # bridged-ovs
GUEST_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")  # kvm1
FORWARD_PATTERN = re.compile(r"[a-z]+")  # nat
NETWORK_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,49}")  # nat_net

# Of either family: an address, and one with its prefix length.
A = TypeVar("A", IPv4Address, IPv6Address)
P = TypeVar("P", IPv4Interface, IPv6Interface)


def refuse(what: str, hint: str) -> PydanticCustomError:
    """Return the error for a value that is not acceptable.

    Args:
        what: What was found and what was expected.
        hint: The remedy.
    """
    # The text goes through the context: a brace in it would be taken for a placeholder.
    return PydanticCustomError("refused", "{what}", {"what": what, "hint": hint})


def found(value: object) -> str:
    """Return a value with its type in YAML, as in `the number 5`; text is quoted."""
    if isinstance(value, bool):
        return f"the truth value {shown(value)}"
    if isinstance(value, int | float):
        return f"the number {value}"
    return shown(value)


def text(value: object, expected: str, hint: str) -> str:
    """Return the value if it is text, else refuse it."""
    if isinstance(value, str):
        return value
    raise refuse(f"found {found(value)}; expected {expected}", hint)


def _mac(value: object) -> str:
    expected = "six pairs of hexadecimal digits as text"
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise refuse(
            f"the MAC was read as a number, {value}; expected {expected}",
            'put it in quotes, as in "52:54:00:12:34:56": digits without quotes may be taken for'
            " a number, and YAML 1.1 even takes pairs with colons for one of base 60",
        )
    hint = 'write it as in "52:54:00:12:34:56"'
    address = text(value, expected, hint).lower()
    if not MAC_PATTERN.fullmatch(address):
        raise refuse(f"{shown(value)} is not a MAC address; expected {expected}", hint)
    if int(address[:2], 16) & 1:
        raise refuse(
            f"{shown(value)} is a multicast MAC (its first octet is odd); expected a unicast one",
            "make the first octet even: 52:54:00 is the prefix of QEMU's guests",
        )
    if address == "00:00:00:00:00:00":
        raise refuse(
            "the MAC is all zeros, which no interface may have; expected a unicast one",
            "make it up below the prefix 52:54:00",
        )
    return address


def _interface_name(value: object) -> str:
    expected = f"an interface name of 1 to {INTERFACE_NAME_MAX} characters"
    name = text(value, expected, "write it in quotes if it looks like a number")
    if len(name) > INTERFACE_NAME_MAX:
        raise refuse(
            f"{shown(name)} has {len(name)} characters; expected at most {INTERFACE_NAME_MAX}, "
            "the kernel's limit for an interface name",
            "shorten it",
        )
    if not INTERFACE_PATTERN.fullmatch(name):
        bad = next((c for c in name if not re.fullmatch(r"[A-Za-z0-9_.-]", c)), name[:1])
        raise refuse(
            f"{shown(name)} has {shown(bad)} where an interface name cannot; expected letters, "
            "digits, '_', '.' and '-', with a letter or digit first",
            "choose another name",
        )
    if name in RESERVED_INTERFACE_NAMES:
        raise refuse(
            f"{shown(name)} is a name reserved by the system; expected another one",
            "choose another name, such as br0",
        )
    return name


def _named(pattern: re.Pattern[str], expected: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        name = text(value, expected, "write it in quotes if it looks like a number")
        if not pattern.fullmatch(name):
            raise refuse(f"{shown(name)} cannot be a name here; expected {expected}", "rename it")
        return name

    return check


def _without_prefix(value: object, kind: type[A], expected: str, hint: str) -> A:
    """Return an address that was written alone; else refuse it."""
    # An address with a prefix is one of Python's addresses, too.
    if isinstance(value, kind) and not isinstance(value, IPv4Interface | IPv6Interface):
        return value
    try:
        return kind(text(value, expected, hint))
    except AddressValueError as error:
        raise refuse(f"{shown(value)}: {error}; expected {expected}", hint) from error


def _with_prefix(value: object, kind: type[P], expected: str, hint: str) -> P:
    """Return an address that was written with its prefix length; else refuse it."""
    if isinstance(value, kind):
        return value
    written = text(value, expected, hint)
    if "/" not in written:
        raise refuse(f"{shown(value)} has no prefix length; expected {expected}", hint)
    try:
        return kind(written)
    except (AddressValueError, NetmaskValueError) as error:
        raise refuse(f"{shown(value)}: {error}; expected {expected}", hint) from error


def _without_host_bits(value: object, written: P) -> P:
    """Return a network as its first address; refuse another one."""
    if written.ip != written.network.network_address:
        raise refuse(
            f"{shown(value)} has host bits set; expected the network itself",
            f"write {written.network}",
        )
    return written


def _address(value: object) -> IPv4Address:
    expected = "an IPv4 address without a prefix"
    return _without_prefix(value, IPv4Address, expected, "write it as in 192.168.1.1")


def _interface(value: object) -> IPv4Interface:
    expected = "an IPv4 address with its prefix length"
    return _with_prefix(value, IPv4Interface, expected, "write it as in 10.10.10.1/24")


def _subnet(value: object) -> IPv4Network:
    if isinstance(value, IPv4Network):
        return value
    expected = "an IPv4 network with its prefix length"
    written = _with_prefix(value, IPv4Interface, expected, "write it as in 192.168.1.0/24")
    return _without_host_bits(value, written).network


def _address6(value: object) -> IPv6Address:
    expected = "an IPv6 address without a prefix"
    return _without_prefix(value, IPv6Address, expected, "write it as in fd00:192:168:1::1")


def _interface6(value: object) -> IPv6Interface:
    expected = "an IPv6 address with its prefix length"
    return _with_prefix(value, IPv6Interface, expected, "write it as in fd00:10:10:10::1/64")


def _subnet6(value: object) -> IPv6Network:
    if isinstance(value, IPv6Network):
        return value
    return _without_host_bits(value, _interface6(value)).network


def _guest_address(value: object) -> object:
    if value is None or value == DHCP:
        return value
    expected = f"{DHCP} or an IPv4 address with its prefix length"
    hint = f"write {DHCP}, or an address as in 192.168.122.92/24"
    return _with_prefix(value, IPv4Interface, expected, hint)


def _uuid(value: object) -> UUID:
    expected, hint = "a UUID as text", "make one with uuidgen, or leave it null for libvirt's own"
    if isinstance(value, UUID):
        return value
    try:
        return UUID(text(value, expected, hint))
    except ValueError as error:
        raise refuse(f"{shown(value)} is not a UUID; expected {expected}", hint) from error


def _not_the_host(name: str) -> str:
    if name == HOST:
        raise refuse(
            f"{shown(name)} is what the record calls the host itself; expected another name",
            "choose another name",
        )
    return name


Mac = Annotated[str, BeforeValidator(_mac)]
"""A unicast MAC address in lower case, as in `52:54:00:55:9b:d6`."""
InterfaceName = Annotated[str, BeforeValidator(_interface_name)]
"""A name that the kernel, libvirt and Open vSwitch all take for an interface."""
TopologyName = Annotated[
    str,
    BeforeValidator(_named(TOPOLOGY_PATTERN, "1 to 32 lower-case letters, digits and '-'")),
    AfterValidator(_not_the_host),
]
"""The name of a topology, unique in a run."""
GuestName = Annotated[
    str,
    BeforeValidator(
        _named(
            GUEST_PATTERN,
            "a host name of 1 to 32 lower-case letters, digits and '-', without '-' at either end",
        )
    ),
]
"""A guest's name: libvirt's domain name and the host name it sends to the DHCP server."""
NetworkName = Annotated[
    str,
    BeforeValidator(
        _named(
            NETWORK_PATTERN,
            "1 to 50 letters, digits, '_', '.' and '-', with a letter or digit first",
        )
    ),
]
"""A libvirt network's name; libvirt makes file names of it."""
ForwardMode = Annotated[
    str, BeforeValidator(_named(FORWARD_PATTERN, "a forward mode in lower-case letters"))
]
"""A network's `forward` key; the network types define its values."""
Address = Annotated[IPv4Address, BeforeValidator(_address)]
"""An address without a prefix."""
Interface = Annotated[IPv4Interface, BeforeValidator(_interface)]
"""An address with the prefix length of its network."""
Subnet = Annotated[IPv4Network, BeforeValidator(_subnet)]
"""A network without host bits."""
Address6 = Annotated[IPv6Address, BeforeValidator(_address6)]
"""An IPv6 address without a prefix."""
Interface6 = Annotated[IPv6Interface, BeforeValidator(_interface6)]
"""An IPv6 address with the prefix length of its network."""
Subnet6 = Annotated[IPv6Network, BeforeValidator(_subnet6)]
"""An IPv6 network without host bits."""
GuestAddress = Annotated[Literal["dhcp"] | IPv4Interface, BeforeValidator(_guest_address)]
"""`dhcp`, or a static address with its prefix length."""
Mtu = Annotated[int, Field(ge=IPV4_MTU_MIN, le=TAP_MTU_MAX)]
"""The size of the largest packet that a link takes, in octets."""
Uuid = Annotated[UUID, BeforeValidator(_uuid)]
"""A UUID."""
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
"""Text for people, not empty."""
