# SPDX-License-Identifier: GPL-2.0-or-later
"""A host's bridge has the settings that its host's file, or the topology, asks for."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fixtures.errors import NotTestable
from fixtures.host.host import Host
from fixtures.host.links import link_mac
from fixtures.probe.evidence import Evidence
from fixtures.switch.linux_bridge import LinuxBridge
from fixtures.testbed.testbed import Testbed
from topologies.schema import Network

PROBE = "ip link add plumb-aware type bridge vlan_filtering 1 && ip link del plumb-aware"


@dataclass(frozen=True)
class SettingSeen:
    """A setting of a bridge.

    Attributes:
        name: as a topology file has it.
        asked: what was asked for.
        found: what the kernel has.
    """

    name: str
    asked: object
    found: object

    def __str__(self) -> str:
        return f"{self.name} {self.found}"


@pytest.mark.claims("LB-14")
def test_bridge_has_its_settings(testbed: Testbed, evidence: Evidence) -> None:
    """The kernel's bridge has each setting that was asked for.

    Source: bridge-utils-interfaces(5); netplan's YAML reference, "bridges".

    Preconditions:
        - the run makes the bridge
    Steps:
        1. Read the bridge's spanning tree state, its times, its priority, its MAC, and whether it
           filters VLANs, from the kernel.
    Verify:
        - each that was asked for has the value that was asked for
    """
    topology, bridge = testbed.topology, testbed.linux_bridge
    if not topology.origin.is_the_runs:
        raise testbed.without("what its bridge was asked for", "it is an existing bridge")
    seen = list(_seen(testbed.host, bridge, topology.network))
    evidence.json("settings.json", {each.name: [each.asked, each.found] for each in seen})
    other = [each for each in seen if each.asked != each.found]
    if [each.name for each in other] == ["bridge_settings.vlan_aware"]:
        _require_vlan_filtering(testbed.host)
    assert not other, "; ".join(
        f"{each.name} of {bridge.name} is {each.found}, asked for {each.asked}" for each in other
    )
    evidence.reason = f"{bridge.name}: {', '.join(map(str, seen))}, as asked for"


def _seen(host: Host, bridge: LinuxBridge, network: Network) -> Iterator[SettingSeen]:
    """Give the settings that are asked for."""
    if network.stp is not None:
        yield SettingSeen("stp", network.stp, bridge.stp())
    if network.forward_delay_s is not None:
        yield SettingSeen("forward_delay_s", network.forward_delay_s, bridge.forward_delay_s())
    if network.mac is not None:
        yield SettingSeen("mac", network.mac, link_mac(host, bridge.name))
    if (asked := network.bridge_settings) is None:
        return
    found = bridge.settings()
    for key in type(asked).model_fields:
        if (wanted := getattr(asked, key)) is not None:
            yield SettingSeen(f"bridge_settings.{key}", wanted, getattr(found, key))


def _require_vlan_filtering(host: Host) -> None:
    """Require a kernel whose bridges can filter VLANs; the bridge that shows it is gone again.

    Raises:
        NotTestable: it has none.
    """
    made = host.run(["sh", "-c", PROBE], check=False)
    if made.status != 0:
        raise NotTestable("VLAN filtering of bridges", f"{PROBE}: {made.last_words}")
