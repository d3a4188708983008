# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of a libvirt network's XML that become the configuration of its dnsmasq.

Source: libvirt, "Network XML format". What the data leaves out is left out here, for libvirt's own
defaults.
"""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from topologies.dhcp import Dhcp, LeaseTime
from topologies.dhcp6 import Dhcp6
from topologies.dns import Dns
from topologies.schema import Network

# libvirt, "Network XML format", "Network namespaces".
NAMESPACE = "http://libvirt.org/schemas/network/dnsmasq/1.0"


def add_names(root: ET.Element, network: Network) -> None:
    """Add a network's domain and its DNS server's part to its definition."""
    if (domain := network.domain) is not None:
        added = ET.SubElement(root, "domain", name=domain.name)
        if domain.local_only:
            added.set("localOnly", "yes")
    if network.dns is not None:
        _add_dns(root, network.dns)


def _add_dns(root: ET.Element, dns: Dns) -> None:
    added = ET.SubElement(root, "dns")
    if not dns.enable:
        added.set("enable", "no")
    if not dns.forward_plain_names:
        added.set("forwardPlainNames", "no")
    for forwarder in dns.forwarders:
        _element(added, "forwarder", domain=forwarder.domain, addr=forwarder.address)
    for txt in dns.txt:
        _element(added, "txt", name=txt.name, value=txt.value)
    for srv in dns.srv:
        _element(added, "srv", **srv.model_dump())
    for host in dns.hosts:
        entry = _element(added, "host", ip=host.ip)
        for name in host.names:
            ET.SubElement(entry, "hostname").text = name


def add_dhcp(ip: ET.Element, dhcp: Dhcp) -> None:
    """Add a network's DHCP server's part to the element of its address."""
    served = ET.SubElement(ip, "dhcp")
    if dhcp.range is not None:
        given = _element(served, "range", start=dhcp.range.start, end=dhcp.range.end)
        _add_lease(given, dhcp.lease)
    for host in dhcp.hosts:
        kept = _element(served, "host", mac=host.mac, name=host.name, ip=host.ip)
        _add_lease(kept, host.lease)
    if dhcp.bootp is not None:
        _element(served, "bootp", file=dhcp.bootp.file, server=dhcp.bootp.server)


def add_dhcp6(ip: ET.Element, dhcp: Dhcp6) -> None:
    """Add a network's DHCPv6 server's part to the element of its IPv6 address."""
    served = ET.SubElement(ip, "dhcp")
    if dhcp.range is not None:
        given = _element(served, "range", start=dhcp.range.start, end=dhcp.range.end)
        _add_lease(given, dhcp.lease)
    for host in dhcp.hosts:
        kept = _element(served, "host", id=host.duid, name=host.name, ip=host.ip)
        _add_lease(kept, host.lease)


def add_options(root: ET.Element, options: Sequence[str]) -> None:
    """Add the options that libvirt passes through to dnsmasq, in their own XML namespace."""
    if options:
        root.set("xmlns:dnsmasq", NAMESPACE)
        passed = ET.SubElement(root, "dnsmasq:options")
        for option in options:
            ET.SubElement(passed, "dnsmasq:option", value=option)


def _add_lease(element: ET.Element, lease: LeaseTime | None) -> None:
    if lease is not None:
        _element(element, "lease", expiry=lease.expiry, unit=lease.unit)


def _element(parent: ET.Element, tag: str, /, **attributes: object) -> ET.Element:
    """Add an element with the attributes that have a value."""
    given = {key: str(value) for key, value in attributes.items() if value is not None}
    return ET.SubElement(parent, tag, given)
