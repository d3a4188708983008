# SPDX-License-Identifier: GPL-2.0-or-later
"""The Linux bridge itself."""

import pytest

from fixtures.evidence import Evidence
from fixtures.host.links import link_mac
from fixtures.standing import Standing
from fixtures.switch.linux_bridge import linux_bridge

EMPTY_ID = "8000.000000000000"
SCRATCH = "plumb-new"


@pytest.mark.claims("LB-02")
def test_new_bridge_is_empty(net: Standing, evidence: Evidence) -> None:
    """A new bridge has no ports, STP off, and no address in its id until it has a port."""
    with linux_bridge(net.host, SCRATCH) as new:
        seen = (new.ports(), new.stp(), new.bridge_id())
    evidence.json("bridge.json", {"ports": seen[0], "stp": seen[1], "id": seen[2]})
    evidence.reason = f"ports {seen[0]}, STP {seen[1]}, id {seen[2]}"
    wanted: tuple[list[str], bool, str] = ([], False, EMPTY_ID)
    assert seen == wanted, f"a new bridge has ports {seen[0]}, STP {seen[1]}, id {seen[2]}"


@pytest.mark.claims("LB-04")
def test_taps_are_ports(net: Standing, evidence: Evidence) -> None:
    """Each guest's TAP is a port, and the bridge's id carries the lowest MAC of its ports."""
    bridge = net.linux_bridge
    ports = bridge.ports()
    for guest in net.guests:
        assert guest.tap in ports, (
            f"{guest.tap} of {guest.name} is no port of {bridge.name}: {ports}"
        )
    macs = {port: link_mac(net.host, port) for port in ports}
    evidence.json("ports.json", {"id": bridge.bridge_id(), "ports": macs})
    lowest = min(macs.values())
    seen, wanted = bridge.bridge_id(), f"8000.{lowest.replace(':', '')}"
    evidence.reason = f"ports {', '.join(ports)}; id {seen}"
    assert seen == wanted, f"{bridge.name} has id {seen}, the lowest MAC of its ports is {lowest}"
