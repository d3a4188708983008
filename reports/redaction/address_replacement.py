# SPDX-License-Identifier: GPL-2.0-or-later
"""Replacements of MAC and IP addresses: the same address is always replaced by the same other one.

What a check was about must still be seen in redacted evidence: that a TAP has its guest's MAC but
for the first octet, that an IPv6 address was made from a MAC, that two addresses are of one subnet.
So an address is replaced part by part.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network

from reports.redaction.redaction_report import RedactionReport

MAC = "MAC addresses"
IPV4 = "public IPv4 addresses"
IPV6 = "IPv6 addresses"
# Prefixes that any virtual machine, its TAP or documentation has; they identify no site:
# QEMU's and libvirt's (52:54:00, on a TAP fe:54:00), IANA's for documents (RFC 7042, 2.1.1).
_OF_EVERYBODY = {bytes.fromhex(each) for each in ("525400", "fe5400", "00005e", "02005e")}
_LOCAL = 0x02
_GROUP = 0x01
_SOLICITED_MAC = bytes.fromhex("3333ff")
_SOLICITED = IPv6Network("ff02::1:ff00:0/104")
_DOCUMENTATION = IPv6Network("2001:db8::/32")
# IPv4-mapped (RFC 4291, 2.5.5.2)
_MAPPED = int(IPv6Address("::ffff:0:0"))
_LINK_LOCAL = IPv6Network("fe80::/10")
_UNIQUE_LOCAL = IPv6Network("fc00::/7")
# Where replacements are taken from: reserved for ever (RFC 1112, 4), for documents (RFC 3849).
_NEW_IPV4 = 240 << 24
_NEW_GLOBAL = int(IPv6Address("2001:db8::")) >> 64
_NEW_UNIQUE_LOCAL = int(IPv6Address("fd00::")) >> 64
# Below, an interface identifier was given by hand, such as ::1; it distinguishes machines
# on its subnet and nothing else.
_BY_HAND = 0x10000


class Addresses:
    """The replacements made so far."""

    def __init__(self, findings: RedactionReport) -> None:
        self._findings = findings
        self._seen: set[bytes] = set()
        self._numbers: dict[str, dict[bytes | int, int]] = {}
        self.known: set[bytes] = set()

    def mac(self, octets: bytes) -> bytes:
        """Return the replacement of a MAC address; groups, broadcast and zero stay.

        The last three octets, which distinguish NICs of one make, get a number; the first
        three stay where they name a make, and are made up where they were.
        """
        if not any(octets):
            return octets
        if octets[0] & _GROUP:
            if octets[:3] != _SOLICITED_MAC:
                return octets
            return octets[:3] + self._nic(octets[3:])
        make = octets[:3]
        if make[0] & _LOCAL and make not in _OF_EVERYBODY:
            make = make[:1] + self._number("make", make).to_bytes(2, "big")
        new = make + self._nic(octets[3:])
        self._count(MAC, octets)
        return new

    def know(self, octets: bytes) -> None:
        """Remember a MAC address, to find it where it is written as bare digits."""
        if any(octets) and not octets[0] & _GROUP:
            self.known.add(octets)

    def ipv4(self, address: IPv4Address) -> IPv4Address:
        """Return the replacement of an IPv4 address: only a public one is replaced, /24 by /24."""
        if not address.is_global or address.is_multicast:
            return address
        self._count(IPV4, address.packed)
        subnet, last = divmod(int(address), 256)
        return IPv4Address(_NEW_IPV4 + 256 * self._number("ipv4", subnet) + last)

    def ipv6(self, address: IPv6Address) -> IPv6Address:
        """Return the replacement of an IPv6 address, /64 by /64.

        Multicast groups, loopback and those for documents stay, but for what they have of a MAC.
        """
        if address.ipv4_mapped is not None:
            return IPv6Address(_MAPPED + int(self.ipv4(address.ipv4_mapped)))
        if address in _SOLICITED:
            low = int(address) & 0xFFFFFF
            new = int.from_bytes(self._nic(low.to_bytes(3, "big")), "big")
            return IPv6Address(int(address) - low + new)
        if address.is_multicast or address.is_loopback or address.is_unspecified:
            return address
        prefix, identifier = divmod(int(address), 1 << 64)
        new_address = IPv6Address((self._prefix(address, prefix) << 64) + self._of(identifier))
        if new_address != address:
            self._count(IPV6, address.packed)
        return new_address

    def _prefix(self, address: IPv6Address, prefix: int) -> int:
        if address in _LINK_LOCAL or address in _DOCUMENTATION:
            return prefix
        if address in _UNIQUE_LOCAL:
            return _NEW_UNIQUE_LOCAL + self._number("ula", prefix)
        return _NEW_GLOBAL + self._number("ipv6", prefix) if address.is_global else prefix

    def _of(self, identifier: int) -> int:
        octets = identifier.to_bytes(8, "big")
        if octets[3:5] == b"\xff\xfe":
            # Modified EUI-64 (RFC 4291, appendix A): a MAC with one bit turned over.
            mac = self.mac(bytes([octets[0] ^ _LOCAL]) + octets[1:3] + octets[5:])
            return int.from_bytes(
                bytes([mac[0] ^ _LOCAL]) + mac[1:3] + b"\xff\xfe" + mac[3:], "big"
            )
        return identifier if identifier < _BY_HAND else self._number("identifier", identifier)

    def _nic(self, octets: bytes) -> bytes:
        return self._number("nic", octets).to_bytes(3, "big")

    def _number(self, of: str, part: bytes | int) -> int:
        table = self._numbers.setdefault(of, {})
        return table.setdefault(part, len(table) + 1)

    def _count(self, kind: str, address: bytes) -> None:
        self._findings.places[kind] += 1
        if address not in self._seen:
            self._seen.add(address)
            self._findings.things[kind] += 1
