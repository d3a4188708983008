# SPDX-License-Identifier: GPL-2.0-or-later
"""A running domain's TAP as a port of a Linux bridge."""

from xml.etree import ElementTree as ET

import libvirt

from fixtures.host.host import Host
from fixtures.switch.linux_bridge import LinuxBridge


def require_port(host: Host, domain: libvirt.virDomain, bridge: str) -> None:
    """Require the TAP of a domain that runs to be a port of a bridge."""
    target = ET.fromstring(domain.XMLDesc()).find("devices/interface/target")
    tap = target.get("dev", "") if target is not None else ""
    ports = LinuxBridge(host, bridge).ports()
    assert tap in ports, f"{tap or 'no TAP'} of {domain.name()} is no port of {bridge}: {ports}"
