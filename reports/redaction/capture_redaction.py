# SPDX-License-Identifier: GPL-2.0-or-later
"""Redaction of packet captures: headers with other addresses, and nothing behind the headers.

Only known headers are kept. Any other could hold anything, and so could the data behind the last
one: the frame is cut there, as a capture with a snapshot length cuts it.
"""

import io
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from scapy.data import DLT_EN10MB
from scapy.error import Scapy_Exception
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_RS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, GRE, LLC, SNAP, STP, Dot1AD, Dot1Q, Dot3, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import NoPayload, Packet, Raw
from scapy.utils import RawPcapReader, RawPcapWriter

from reports.redaction.address_replacement import Addresses

# Of the pcap format (draft-ietf-opsawg-pcap, section 4): the file's header, and each frame's.
_FILE_HEADER_OCTETS, _FRAME_HEADER_OCTETS = 24, 16
# Options of DHCP that show nothing of a site but addresses, which are replaced.
_DHCP_ADDRESSES = {"subnet_mask", "router", "name_server", "broadcast_address", "requested_addr"}
_DHCP_ADDRESSES |= {"server_id"}
# Options of TCP that are numbers of its own.
_TCP_PLAIN = {"MSS", "NOP", "EOL", "WScale", "SAckOK", "SAck", "Timestamp"}
_DHCP_PLAIN = {"message-type", "lease_time", "renewal_time", "rebinding_time"}
_ETHERNET_OCTETS = 14
_HARDWARE_ETHERNET = 1
# of 32 bits, in a header of IPv4 or TCP without options
_LEAST_WORDS = 5
_ETHERTYPE_IPV4 = 0x0800
_MAC_OCTETS = 6
_IPV4_OCTETS = 4
_ICMP_OCTETS = 8
_ICMP_REDIRECT = 5


class NotACaptureError(Exception):
    """A file that is not an Ethernet capture in the pcap format."""


def redacted(content: bytes, addresses: Addresses) -> bytes:
    """Return a capture with other addresses, cut behind the headers.

    Raises:
        NotACaptureError: it is none that can be read.
    """
    read, written = io.BytesIO(content), io.BytesIO()
    try:
        reader = RawPcapReader(read)
    except Scapy_Exception as error:
        raise NotACaptureError("not a pcap file") from error
    # scapy would unpack a gzipped file, and read pcapng, whose blocks may hold comments and names.
    if type(reader) is not RawPcapReader or reader.f is not read:
        raise NotACaptureError("not a pcap file")
    if reader.linktype != DLT_EN10MB:
        raise NotACaptureError(f"a capture of link type {reader.linktype}, not of Ethernet frames")
    writer = RawPcapWriter(
        written,
        linktype=reader.linktype,
        endianness=reader.endian,
        nano=reader.nano,
        snaplen=reader.snaplen,
    )
    writer.write_header(None)
    octets = _FILE_HEADER_OCTETS
    for frame, seen in reader:
        octets += _FRAME_HEADER_OCTETS + seen.caplen
        # scapy ignores an incomplete end of a file, and cuts what is longer than any frame.
        if len(frame) != seen.caplen:
            raise NotACaptureError("it ends within a frame")
        kept = _frame(frame, addresses)
        length = max(seen.wirelen, len(kept))
        writer.write_packet(kept, sec=seen.sec, usec=seen.usec, wirelen=length)
    if octets != len(content):
        raise NotACaptureError("it ends within a frame")
    return written.getvalue()


def _frame(octets: bytes, addresses: Addresses) -> bytes:
    if len(octets) < _ETHERNET_OCTETS:
        return b""
    packet = Ether(octets)
    layer: Packet = packet
    while not isinstance(layer, NoPayload):
        if isinstance(layer, ICMP):
            _end_with(layer, _icmp(layer))
            break
        rewrite = _LAYERS.get(type(layer))
        if rewrite is None or not _is_usual(layer):
            _end_with(layer, b"")
            break
        rewrite(layer, addresses)
        layer = layer.payload
    return bytes(packet)


def _end_with(layer: Packet, octets: bytes) -> None:
    """Put octets in place of a header and of all that follows it."""
    below = layer.underlayer
    below.remove_payload()
    if octets:
        below.add_payload(Raw(octets))


def _is_usual(layer: Any) -> bool:
    """Whether a header is of the kind, and has the lengths, that its fields are read by."""
    if isinstance(layer, ARP):
        kinds = (layer.hwtype, layer.ptype, layer.hwlen, layer.plen)
        return bool(kinds == (_HARDWARE_ETHERNET, _ETHERTYPE_IPV4, _MAC_OCTETS, _IPV4_OCTETS))
    if isinstance(layer, IP):
        return bool(layer.version == 4 and layer.ihl >= _LEAST_WORDS)  # noqa: PLR2004 - it is IPv4
    if isinstance(layer, IPv6):
        return bool(layer.version == 6)  # noqa: PLR2004 - it is IPv6
    if isinstance(layer, TCP):
        return bool(layer.dataofs >= _LEAST_WORDS)
    return not isinstance(layer, BOOTP) or bool(layer.hlen == _MAC_OCTETS)


def _icmp(layer: Any) -> bytes:
    """Return the header of an ICMP message alone.

    What scapy takes for a part of it, such as the extensions of RFC 4884, may be anything.
    """
    header = bytes(layer)[:_ICMP_OCTETS]
    is_redirect = header[0] == _ICMP_REDIRECT
    return header[:4] + bytes(4) if is_redirect else header


def _ethernet(layer: Any, addresses: Addresses) -> None:
    for name in ("dst", "src"):
        _set(layer, name, _mac(getattr(layer, name), addresses))


def _arp(layer: Any, addresses: Addresses) -> None:
    for name in ("hwsrc", "hwdst"):
        _set(layer, name, _mac(getattr(layer, name), addresses))
    for name in ("psrc", "pdst"):
        _set(layer, name, _ipv4(getattr(layer, name), addresses))


def _spanning_tree(layer: Any, addresses: Addresses) -> None:
    for name in ("rootmac", "bridgemac"):
        _set(layer, name, _mac(getattr(layer, name), addresses))


def _ip(layer: Any, addresses: Addresses) -> None:
    before = (layer.src, layer.dst)
    for name in ("src", "dst"):
        _set(layer, name, _ipv4(getattr(layer, name), addresses))
    if layer.options:
        # One may name the routers that a packet passed.
        layer.options = []
        del layer.ihl, layer.chksum
    if (layer.src, layer.dst) != before:
        del layer.chksum


def _tcp(layer: Any, _: Addresses) -> None:
    kept = [option for option in layer.options if option[0] in _TCP_PLAIN]
    if kept != layer.options:
        layer.options = kept
        del layer.dataofs


def _ipv6(layer: Any, addresses: Addresses) -> None:
    for name in ("src", "dst"):
        _set(layer, name, str(addresses.ipv6(IPv6Address(getattr(layer, name)))))


def _neighbour(layer: Any, addresses: Addresses) -> None:
    _set(layer, "tgt", str(addresses.ipv6(IPv6Address(layer.tgt))))


def _link_layer_address(layer: Any, addresses: Addresses) -> None:
    _set(layer, "lladdr", _mac(layer.lladdr, addresses))


def _prefix(layer: Any, addresses: Addresses) -> None:
    _set(layer, "prefix", str(addresses.ipv6(IPv6Address(layer.prefix))))


def _bootp(layer: Any, addresses: Addresses) -> None:
    for name in ("ciaddr", "yiaddr", "siaddr", "giaddr"):
        _set(layer, name, _ipv4(getattr(layer, name), addresses))
    layer.chaddr = addresses.mac(layer.chaddr[:_MAC_OCTETS]) + bytes(10)
    # Names of a server and of a file to boot from; without DHCP's, its options may be anything.
    layer.sname = layer.file = b""
    if not isinstance(layer.payload, DHCP):
        layer.options = b""


def _dhcp(layer: Any, addresses: Addresses) -> None:
    kept: list[Any] = []
    for option in layer.options:
        name, *values = option if isinstance(option, tuple) else (option,)
        if name in _DHCP_ADDRESSES:
            kept.append((name, *(_ipv4(value, addresses) for value in values)))
        elif name in _DHCP_PLAIN and len(values) == 1 and isinstance(values[0], int):
            kept.append(option)
    layer.options = [*kept, "end"]
    # It is shorter now, and so are those that carry it.
    below = layer.underlayer
    while below is not None:
        for name in ("len", "chksum"):
            if isinstance(below, IP | UDP):
                delattr(below, name)
        below = below.underlayer


def _echo(layer: Any, _: Addresses) -> None:
    _set(layer, "data", b"")


def _as_it_is(layer: Any, addresses: Addresses) -> None:
    """Keep a header that has no address and no name in it."""


_LAYERS: dict[type[Packet], Callable[[Any, Addresses], None]] = {
    **dict.fromkeys((Ether, Dot3), _ethernet),
    **dict.fromkeys((Dot1Q, Dot1AD, LLC, SNAP, GRE, VXLAN, UDP), _as_it_is),
    **dict.fromkeys((ICMPv6ND_RA, ICMPv6ND_RS, ICMPv6NDOptMTU), _as_it_is),
    **dict.fromkeys((ICMPv6EchoRequest, ICMPv6EchoReply), _echo),
    **dict.fromkeys((ICMPv6ND_NS, ICMPv6ND_NA), _neighbour),
    **dict.fromkeys((ICMPv6NDOptSrcLLAddr, ICMPv6NDOptDstLLAddr), _link_layer_address),
    ICMPv6NDOptPrefixInfo: _prefix,
    ARP: _arp,
    STP: _spanning_tree,
    IP: _ip,
    IPv6: _ipv6,
    TCP: _tcp,
    BOOTP: _bootp,
    DHCP: _dhcp,
}


def _set(layer: Any, name: str, value: str | bytes) -> None:
    """Set a field only where it changes: a header that nothing touched stays octet for octet."""
    if getattr(layer, name) != value:
        setattr(layer, name, value)


def _mac(text: str, addresses: Addresses) -> str:
    return addresses.mac(bytes.fromhex(text.replace(":", ""))).hex(":")


def _ipv4(text: str, addresses: Addresses) -> str:
    return str(addresses.ipv4(IPv4Address(text)))
