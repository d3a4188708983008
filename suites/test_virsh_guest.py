# SPDX-License-Identifier: GPL-2.0-or-later
"""The documents' virsh commands for a guest: edit, destroy, start, list."""

import shlex

import libvirt
import pytest

from fixtures.guest.domain_xml import Nic
from fixtures.guest.guest_boot import defined
from fixtures.host.host import Host
from fixtures.probe.evidence import Evidence
from fixtures.switch import libvirt_network
from fixtures.switch.virsh import VIRSH, domains, virsh
from fixtures.testbed.testbed import Testbed
from suites.port_of_domain import require_port

MOVED, TARGET, MOVED_MAC = "plumb-edited", "plumb-source", "52:54:00:5e:53:19"


@pytest.mark.claims("NT-18")
def test_source_network_is_edited(testbed: Testbed, evidence: Evidence) -> None:
    """`virsh edit`, `destroy` and `start` put a guest on another network, as D3 shows.

    Preconditions:
        - the host has no network and no bridge `plumb-source`
    Steps:
        1. Define and start a second network; define a guest on the network under test.
        2. Run `virsh start`, and `virsh edit` with an editor that changes the name of the source
           network.
        3. Run `virsh destroy` and `virsh start`; destroy the guest.
    Verify:
        - each command ends without an error, and `virsh list --all` has the guest as running or as
          shut off after each
        - edited, the guest that runs is still on the network under test
        - started again, its TAP is a port of the second network's bridge
    """
    host, guest, old = testbed.host, testbed.guests[0], testbed.topology.network
    new = libvirt_network.beside(old, TARGET, testbed.taken_networks)
    name = testbed.libvirt_network.name()
    nic = Nic("network", name, MOVED_MAC, guest.plan.nics[0].model)
    with libvirt_network.defined(host, libvirt_network.definition(new)) as network:
        network.create()
        with defined(guest, MOVED, [nic]):
            _expect_state(host, "shut off")
            _require(host, "start")
            _expect_state(host, "running")
            _expect_port(host, old.bridge)
            _edit(host, name, new.name)
            _expect_port(host, old.bridge)
            _require(host, "destroy")
            _expect_state(host, "shut off")
            _require(host, "start")
            _expect_state(host, "running")
            _expect_port(host, new.bridge)
            xml = host.libvirt.lookupByName(MOVED).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            evidence.text("domain.xml", xml, "application/xml")
            _require(host, "destroy")
            _expect_state(host, "shut off")
    evidence.reason = f"`virsh edit` moved {MOVED} from {name} to {new.name} at its next start"


def _require(host: Host, command: str) -> None:
    done = virsh(host, command, MOVED)
    assert done.status == 0, f"`virsh {command} {MOVED}` ends with {done.status}: {done.stderr}"


def _edit(host: Host, old: str, new: str) -> None:
    """Have virsh's editor change the source network in the guest's definition."""
    # Virsh has a shell start it, with the file behind.
    editor = shlex.join(["sed", "-i", f"s/network='{old}'/network='{new}'/"])
    # Not the caller's: virsh takes VISUAL before EDITOR.
    done = host.run(["env", "-u", "VISUAL", f"EDITOR={editor}", *VIRSH, "edit", MOVED], check=False)
    assert done.status == 0, f"`virsh edit {MOVED}` ends with {done.status}: {done.stderr}"


def _expect_state(host: Host, state: str) -> None:
    listed = domains(virsh(host, "list", "--all").stdout)
    assert listed.get(MOVED) == state, (
        f"`virsh list --all` has {MOVED} as {listed.get(MOVED, 'nothing')}, expected {state}"
    )


def _expect_port(host: Host, bridge: str) -> None:
    """Expect the TAP of the guest that runs to be a port of a bridge."""
    require_port(host, host.libvirt.lookupByName(MOVED), bridge)
