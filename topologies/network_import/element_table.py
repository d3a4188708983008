# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of libvirt's "Network XML format": each element and attribute, and what becomes of it.

A line moves from "not looked at" to "used" or "checked" once a key of the model, or a check, looks
at it. `docs/topologies.md` shows the table; tests hold both, and libvirt's own schema, against it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from topologies.dnsmasq_options import EVERYTHING, FORWARDED, undecided_by
from topologies.network_import.reading import Treatment

TRANSLATION: Final = ("NT-08", "NT-09", "NT-10")
LEASES: Final = (
    *("NT-04", "NT-05", "NT-06", "IS-05", "RT-06", "OP-06"),
    *("DH-02", "DH-03", "DH-04", "DH-05"),
)
SERVER: Final = ("NT-04",)
# What is in a router advertisement.
ADVERTISED: Final = ("V6-01", "V6-06", "V6-16")
RESERVED: Final = ("NT-06", "IS-05", "DH-01", "DH-02", "DH-05", "DH-08")


@dataclass(frozen=True)
class Rule:
    """What becomes of an element or attribute.

    Attributes:
        treatment: as `Setting.treatment`.
        by: the key of a topology file that it is, the claims whose checks look at it, or in a few
            words what does.
        undecides: claims that it takes the ground from.
        values: values for which the treatment is another, and which undecide nothing: those that
            libvirt fills in by itself, and those that a check looks at.
        subtree: the rule is that of everything below it, too.
        built: the treatment where a run makes the network of the XML; None: the same.
        filled_in: libvirt may add it to the live XML by itself: any value, or one of these.
        unread: claims that it takes the ground from where the model cannot have its value; then it
            is not looked at.
        left_out: attributes of its element with values beside which libvirt leaves it out of the
            live XML, for it asks for nothing there.
        undecides_by: gives the claims that a value takes the ground from.
    """

    treatment: Treatment
    by: str = ""
    undecides: tuple[str, ...] = ()
    values: Mapping[str, Treatment] = field(default_factory=dict)
    subtree: bool = False
    built: Treatment | None = None
    filled_in: bool | tuple[str, ...] = False
    unread: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    undecides_by: Callable[[str], tuple[str, ...]] | None = None


def _used(
    by: str, *undecides: str, filled_in: bool | tuple[str, ...] = False, **values: Treatment
) -> Rule:
    return Rule("used", by, undecides, values, filled_in=filled_in)


def _read(
    key: str, *unread: str, filled_in: tuple[str, ...] | bool = False, **left_out: str
) -> Rule:
    """Return the rule of a key that a value may be no value of; then these claims are undecided."""
    by = f"`networks.{key}`"
    return Rule("used", by, filled_in=filled_in, unread=unread, left_out=left_out)


def _checked(by: str, *, filled_in: bool = False) -> Rule:
    return Rule("checked", by, filled_in=filled_in)


def _not(*undecides: str, by: str = "", checked: str = "", filled_in: bool = False) -> Rule:
    """Return the rule of what is not looked at, unless it has the value that a check looks at.

    Such a value is the one that libvirt fills in, if it does.
    """
    values: Mapping[str, Treatment] = {checked: "checked"} if checked else {}
    filled = (checked,) if checked and filled_in else filled_in
    return Rule("not looked at", by, undecides, values, filled_in=filled)


def _default(value: str, key: str = "", **left_out: str) -> Rule:
    """Return the rule of what asks for nothing with one value; with others it is not looked at.

    Args:
        value: what asks for nothing.
        key: the key of a topology file that it is with any value.
        left_out: as `Rule.left_out`.
    """
    by = f"`{value}` is as without it"
    return Rule(
        "used" if key else "not looked at",
        f"{by}; `networks.{key}`" if key else by,
        values={value: "used"},
        left_out=left_out,
    )


_DEVICE: Final = Rule("not looked at", "`physical.uplink`", built="used", filled_in=True)
_FLOORS: Final = _used("the floors of `throughput` are below it")
_ANYTHING: Final = Rule("not looked at", subtree=True)

RULES: Final[Mapping[str, Rule]] = {
    "network": _used("one network"),
    "network@connections": Rule("checked", "NT-18", filled_in=True),
    "network@xmlns:dnsmasq": _used("the name space of `dnsmasq:options`", filled_in=True),
    "network@ipv6": _default("no", "guests_ipv6", ipv6="no"),
    "network@trustGuestRxFilters": _default("no"),
    "network/name": _used("`networks.name`, or `networks.libvirt_name`"),
    "network/uuid": _used("`networks.uuid`", filled_in=True),
    "network/title": _not(),
    "network/description": _not(),
    "network/metadata": _ANYTHING,
    "network/forward": _used("`networks.forward`"),
    "network/forward@mode": _used("`networks.forward`", filled_in=("nat",)),
    "network/forward@managed": _checked("PT-03"),
    # With it only packets to that device are forwarded.
    "network/forward@dev": _DEVICE,
    "network/forward/interface": _DEVICE,
    "network/forward/interface@dev": _DEVICE,
    "network/forward/interface@connections": Rule("not looked at", filled_in=True),
    "network/forward/pf": _used("`networks.uplink`"),
    "network/forward/pf@dev": _used("`networks.uplink`"),
    "network/forward/driver": _not(),
    "network/forward/driver@name": _not(),
    "network/forward/driver@model": _not(),
    # The live XML lists every virtual function.
    "network/forward/address": _checked("PT-03", filled_in=True),
    "network/forward/address@type": _checked("PT-03", filled_in=True),
    "network/forward/address@domain": _checked("PT-03", filled_in=True),
    "network/forward/address@bus": _checked("PT-03", filled_in=True),
    "network/forward/address@slot": _checked("PT-03", filled_in=True),
    "network/forward/address@function": _checked("PT-03", filled_in=True),
    "network/forward/address@multifunction": _not(filled_in=True),
    "network/forward/address@connections": _not(filled_in=True),
    "network/forward/nat": _checked("NT-02, NT-08", filled_in=True),
    "network/forward/nat@ipv6": _default("no", "nat6"),
    "network/forward/nat/address": _not(*TRANSLATION),
    "network/forward/nat/address@start": _not(*TRANSLATION),
    "network/forward/nat/address@end": _not(*TRANSLATION),
    "network/forward/nat/port": _checked("NT-02, NT-08, NT-09", filled_in=True),
    # libvirt fills in 1024 to 65535.
    "network/forward/nat/port@start": _not(
        *TRANSLATION, "NT-02", "NT-23", by="NT-02, NT-08, NT-09", checked="1024", filled_in=True
    ),
    "network/forward/nat/port@end": _not(
        *TRANSLATION, "NT-02", "NT-23", by="NT-02, NT-08, NT-09", checked="65535", filled_in=True
    ),
    "network/bridge": _used("`networks.bridge`", filled_in=True),
    "network/bridge@name": _used("`networks.bridge`", filled_in=True),
    "network/bridge@stp": _used("`networks.stp`", filled_in=("on",)),
    "network/bridge@delay": _used("`networks.forward_delay_s`", filled_in=("0",)),
    "network/bridge@zone": _not(),
    "network/bridge@macTableManager": _default("kernel"),
    "network/mac": _used("`networks.mac`", filled_in=True),
    "network/mac@address": _used("`networks.mac`", filled_in=True),
    "network/mtu": _used("`networks.mtu`"),
    "network/mtu@size": _used("`networks.mtu`"),
    "network/domain": _read("domain", "DN-08"),
    "network/domain@name": _read("domain.name"),
    "network/domain@localOnly": _read("domain.local_only"),
    "network/domain@register": _default("no"),
    "network/bandwidth": _FLOORS,
    "network/bandwidth@classID": _not(filled_in=True),
    "network/bandwidth/inbound": _FLOORS,
    "network/bandwidth/inbound@average": _FLOORS,
    "network/bandwidth/inbound@peak": _not(),
    "network/bandwidth/inbound@floor": _not(),
    "network/bandwidth/inbound@burst": _not(),
    "network/bandwidth/outbound": _FLOORS,
    "network/bandwidth/outbound@average": _FLOORS,
    "network/bandwidth/outbound@peak": _not(),
    "network/bandwidth/outbound@floor": _not(),
    "network/bandwidth/outbound@burst": _not(),
    "network/vlan": _used(
        "`networks.vlan`; over a Linux bridge, of functions of a NIC, and where the model cannot "
        "have it, it is not looked at"
    ),
    "network/vlan@trunk": _read("vlan.trunk", filled_in=("yes",)),
    "network/vlan/tag": _read("vlan.tags"),
    "network/vlan/tag@id": _read("vlan.tags"),
    "network/vlan/tag@nativeMode": _read("vlan.native"),
    "network/port": _used("`promises`, guest → guest"),
    # Between ports that are isolated nothing passes, so the claims about what passes are not asked.
    "network/port@isolated": _used("`promises`, guest → guest", "GN-08", "GN-09", no="used"),
    "network/virtualport": _used("`networks.switch`"),
    "network/virtualport@type": _used("`networks.switch`"),
    "network/virtualport/parameters": _not(),
    "network/virtualport/parameters@managerid": _not(),
    "network/virtualport/parameters@typeid": _not(),
    "network/virtualport/parameters@typeidversion": _not(),
    "network/virtualport/parameters@instanceid": _not(),
    "network/virtualport/parameters@profileid": _not(),
    "network/virtualport/parameters@interfaceid": _not(),
    "network/portgroup": _used(
        "`networks.portgroups`; over a Linux bridge, and where the model cannot have its VLANs, it "
        "is not looked at"
    ),
    "network/portgroup@name": _read("portgroups.name"),
    "network/portgroup@default": _read("portgroups.default"),
    "network/portgroup@trustGuestRxFilters": _not(),
    "network/portgroup/virtualport": _not(),
    "network/portgroup/virtualport@type": _not(),
    "network/portgroup/virtualport/parameters": _not(),
    "network/portgroup/virtualport/parameters@managerid": _not(),
    "network/portgroup/virtualport/parameters@typeid": _not(),
    "network/portgroup/virtualport/parameters@typeidversion": _not(),
    "network/portgroup/virtualport/parameters@instanceid": _not(),
    "network/portgroup/virtualport/parameters@profileid": _not(),
    "network/portgroup/virtualport/parameters@interfaceid": _not(),
    "network/portgroup/bandwidth": _not(),
    "network/portgroup/bandwidth@classID": _not(),
    "network/portgroup/bandwidth/inbound": _not(),
    "network/portgroup/bandwidth/inbound@average": _not(),
    "network/portgroup/bandwidth/inbound@peak": _not(),
    "network/portgroup/bandwidth/inbound@floor": _not(),
    "network/portgroup/bandwidth/inbound@burst": _not(),
    "network/portgroup/bandwidth/outbound": _not(),
    "network/portgroup/bandwidth/outbound@average": _not(),
    "network/portgroup/bandwidth/outbound@peak": _not(),
    "network/portgroup/bandwidth/outbound@floor": _not(),
    "network/portgroup/bandwidth/outbound@burst": _not(),
    "network/portgroup/vlan": _read("portgroups.vlan"),
    "network/portgroup/vlan@trunk": _read("portgroups.vlan.trunk", filled_in=("yes",)),
    "network/portgroup/vlan/tag": _read("portgroups.vlan.tags"),
    "network/portgroup/vlan/tag@id": _read("portgroups.vlan.tags"),
    "network/portgroup/vlan/tag@nativeMode": _read("portgroups.vlan.native"),
    "network/dns": _read("dns"),
    "network/dns@enable": _read("dns.enable"),
    "network/dns@forwardPlainNames": _read("dns.forward_plain_names"),
    "network/dns/forwarder": _read("dns.forwarders", *FORWARDED),
    "network/dns/forwarder@addr": _read("dns.forwarders.address"),
    "network/dns/forwarder@domain": _read("dns.forwarders.domain"),
    "network/dns/txt": _read("dns.txt", "DN-04"),
    "network/dns/txt@name": _read("dns.txt.name"),
    "network/dns/txt@value": _read("dns.txt.value"),
    "network/dns/srv": _read("dns.srv", "DN-04"),
    "network/dns/srv@service": _read("dns.srv.service"),
    "network/dns/srv@protocol": _read("dns.srv.protocol"),
    "network/dns/srv@domain": _read("dns.srv.domain"),
    "network/dns/srv@target": _read("dns.srv.target"),
    "network/dns/srv@port": _read("dns.srv.port"),
    "network/dns/srv@priority": _read("dns.srv.priority", priority="0"),
    "network/dns/srv@weight": _read("dns.srv.weight", weight="0"),
    "network/dns/host": _read("dns.hosts", "DN-03"),
    "network/dns/host@ip": _read("dns.hosts.ip"),
    "network/dns/host/hostname": _read("dns.hosts.names"),
    "network/ip": Rule(
        "used",
        "`networks.address`: of IPv4 the one with `<dhcp>`, or the first; "
        "`networks.further_addresses`: the others; `networks.address6`: the first of IPv6 with a "
        "prefix of 64 bits, or the first with `<dhcp>` where libvirt starts dnsmasq for that "
        f"alone; another one of IPv6 leaves {', '.join((*SERVER, *ADVERTISED))} undecided",
        unread=("NT-03",),
    ),
    "network/ip@address": _used("`networks.address`"),
    "network/ip@netmask": _used("`networks.address`"),
    "network/ip@prefix": _used("`networks.address`"),
    "network/ip@family": _used("`networks.address` or `networks.address6`"),
    "network/ip@localPtr": _default("no"),
    "network/ip/tftp": _read("tftp"),
    "network/ip/tftp@root": _read("tftp.root"),
    "network/ip/dhcp": _used("`networks.dhcp`"),
    "network/ip/dhcp/range": _used(
        "`networks.dhcp`: the first one; another leaves leases undecided"
    ),
    "network/ip/dhcp/range@start": _used("`networks.dhcp.start`"),
    "network/ip/dhcp/range@end": _used("`networks.dhcp.end`"),
    "network/ip/dhcp/range/lease": _read("dhcp.lease", "DH-03", "DH-04"),
    "network/ip/dhcp/range/lease@expiry": _read("dhcp.lease.expiry"),
    "network/ip/dhcp/range/lease@unit": _read(
        "dhcp.lease.unit", filled_in=("minutes",), expiry="0"
    ),
    "network/ip/dhcp/host": _read("dhcp.hosts", *RESERVED),
    "network/ip/dhcp/host@mac": _read("dhcp.hosts.mac"),
    # Of IPv4 libvirt does not hand it to dnsmasq.
    "network/ip/dhcp/host@id": _not(),
    "network/ip/dhcp/host@name": _read("dhcp.hosts.name"),
    "network/ip/dhcp/host@ip": _read("dhcp.hosts.ip"),
    "network/ip/dhcp/host/lease": _read("dhcp.hosts.lease"),
    "network/ip/dhcp/host/lease@expiry": _read("dhcp.hosts.lease.expiry"),
    "network/ip/dhcp/host/lease@unit": _read(
        "dhcp.hosts.lease.unit", filled_in=("minutes",), expiry="0"
    ),
    "network/ip/dhcp/bootp": _read("dhcp.bootp", "DH-06"),
    "network/ip/dhcp/bootp@file": _read("dhcp.bootp.file"),
    "network/ip/dhcp/bootp@server": _read("dhcp.bootp.server"),
    "network/route": _read("routes", "NT-25"),
    "network/route@family": _read("routes"),
    "network/route@address": _read("routes.to"),
    "network/route@netmask": _read("routes.to"),
    "network/route@prefix": _read("routes.to"),
    "network/route@gateway": _read("routes.gateway"),
    "network/route@metric": _read("routes.metric"),
    "network/dnsmasq:options": _read("dnsmasq_options"),
    "network/dnsmasq:options/dnsmasq:option": _read("dnsmasq_options", *EVERYTHING),
    # Passed through to dnsmasq, whose answers it may change.
    "network/dnsmasq:options/dnsmasq:option@value": Rule(
        "used",
        "`networks.dnsmasq_options`; undecided: the claims about what the option changes",
        undecides_by=undecided_by,
    ),
}
