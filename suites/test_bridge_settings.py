# SPDX-License-Identifier: GPL-2.0-or-later
"""A host's bridge has the settings that its host's file, or the topology, asks for."""

import pytest

from fixtures.errors import Inconclusive, NotTestable
from fixtures.host.host import Host
from fixtures.host.links import link_mac
from fixtures.probe.evidence import Evidence
from fixtures.switch.asked_settings import asked_settings
from fixtures.switch.linux_bridge import LinuxBridge
from fixtures.testbed.testbed import Testbed

PROBE = "ip link add plumb-aware type bridge vlan_filtering 1 && ip link del plumb-aware"


@pytest.mark.claims("LB-14")
def test_bridge_has_its_settings(testbed: Testbed, evidence: Evidence) -> None:
    """The kernel's bridge has each setting that was asked for.

    Source: bridge-utils-interfaces(5); netplan's YAML reference, "bridges".

    Preconditions:
        - the run makes the bridge
    Steps:
        1. Read the bridge's spanning tree state, its times, its priority, its MAC, whether it
           filters VLANs, and cost and priority of its uplink's port, from the kernel.
    Verify:
        - each that was asked for has the value that was asked for
        - where another bridge is the root, the times are that one's, and undecided
        - where the management path is over the uplink, the MAC is the uplink's, and undecided
    """
    topology, bridge = testbed.topology, testbed.linux_bridge
    if not topology.origin.is_the_runs:
        raise testbed.without("what its bridge was asked for", "it is an existing bridge")
    own, root = bridge.bridge_id(), bridge.root_id()
    uplink, nic = topology.network.uplink, testbed.host.nics.path
    asked = asked_settings(
        topology.network,
        root=None if root == own else root,
        path=uplink if nic is not None and uplink is not None and nic.is_over(uplink) else None,
    )
    found = _found(testbed.host, bridge, uplink)
    evidence.json("settings.json", [[each.name, each.value, found[each.name]] for each in asked])
    shown = [each for each in asked if not each.undecided]
    left = "; ".join(f"{each.name} undecided: {each.undecided}" for each in asked if each.undecided)
    other = [each for each in shown if each.value != found[each.name]]
    if [each.name for each in other] == ["bridge_settings.vlan_aware"]:
        _require_vlan_filtering(testbed.host)
    assert not other, "; ".join(
        f"{each.name} of {bridge.name} is {found[each.name]}, asked for {each.value}"
        for each in other
    )
    if not shown:
        raise Inconclusive(f"{bridge.name} shows no setting that was asked for: {left}")
    said = ", ".join(f"{each.name} {found[each.name]}" for each in shown)
    evidence.reason = f"{bridge.name}: {said}, as asked for{left and f'; {left}'}"


def _found(host: Host, bridge: LinuxBridge, uplink: str | None) -> dict[str, object]:
    """Return what the kernel has of each setting, by its name in a topology file."""
    settings = bridge.settings(uplink).model_dump()
    return {
        "stp": bridge.stp(),
        "forward_delay_s": bridge.forward_delay_s(),
        "mac": link_mac(host, bridge.name),
        **{f"bridge_settings.{key}": each for key, each in settings.items()},
    }


def _require_vlan_filtering(host: Host) -> None:
    """Require a kernel whose bridges can filter VLANs; the bridge that shows it is gone again.

    Raises:
        NotTestable: it has none.
    """
    made = host.run(["sh", "-c", PROBE], check=False)
    if made.status != 0:
        raise NotTestable("VLAN filtering of bridges", f"{PROBE}: {made.last_words}")
