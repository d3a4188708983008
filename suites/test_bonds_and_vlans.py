# SPDX-License-Identifier: GPL-2.0-or-later
"""Bonds and VLANs of the host in libvirt's list of interfaces (D4, `virsh iface-list --all`)."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import libvirt
import pytest

from fixtures.errors import CommandFailed, NotTestable
from fixtures.host.host import Host
from fixtures.host.links import cable, has_link, link_mac, namespace_machine
from fixtures.probe.evidence import Evidence
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll

BOND, NICS = "plumb-bond", ("plumb-nic0", "plumb-nic1")
TAGS = (129, 229)  # D4's
# A bond follows its ports' carrier by its monitor, set to 100 ms; a busy machine takes longer.
STATE_DEADLINE_S = 10.0


@dataclass(frozen=True)
class ListedInterface:
    """An interface in libvirt's list."""

    active: bool
    mac: str


@pytest.mark.claims("IF-06")
@pytest.mark.needs("bonding", "vlan")
def test_bonds_and_vlans_are_listed(testbed: Testbed, evidence: Evidence) -> None:
    """Libvirt lists a bond and its VLANs as active with their MACs, and as inactive when down.

    Preconditions:
        - libvirt has its interface driver
        - the host has no links `plumb-bond`, `plumb-nic0` and `plumb-nic1`
    Steps:
        1. Make two NICs with cables to a neighbour, a bond of the two, and two VLANs on it; bring
           all up.
        2. List libvirt's interfaces.
        3. Take the bond down, and list again.
        4. Delete the VLANs and the bond, and list again.
    Verify:
        - bond, VLANs and NICs are listed as active, each with the MAC that the kernel has for it
        - bond and NICs have one MAC, as D4 shows
        - with the bond down, bond and VLANs are listed as inactive
        - deleted, they are not in the list
    """
    host = testbed.host
    vlans = [f"{BOND}.{tag}" for tag in TAGS]
    made = [BOND, *vlans]
    with _bonded(host, vlans):
        wanted = {name: ListedInterface(True, link_mac(host, name)) for name in [*made, *NICS]}
        up = _expect(host, wanted, "up")
        evidence.json("up.json", {name: str(each) for name, each in up.items()})
        macs = {up[name].mac for name in (BOND, *NICS)}
        assert len(macs) == 1, f"{BOND} and its NICs have the MACs {sorted(macs)}"
        host.run(["ip", "link", "set", BOND, "down"])
        down = {name: ListedInterface(False, wanted[name].mac) for name in made}
        _expect(host, down, "down")
    left = sorted(set(made) & set(_listed(host)))
    assert not left, f"libvirt still lists {left}, which are deleted"
    evidence.reason = "; ".join(f"{name} active, {up[name].mac}" for name in made)


@contextlib.contextmanager
def _bonded(host: Host, vlans: list[str]) -> Iterator[None]:
    """Have a bond of two cabled NICs with VLANs, all up, for a `with` block."""
    with namespace_machine(host, "neighbour") as neighbour, contextlib.ExitStack() as stack:
        for number, nic in enumerate(NICS):
            stack.enter_context(cable(host, nic, neighbour, f"eth{number}"))
        make = ["type", "bond", "mode", "active-backup", "miimon", "100"]
        host.run(["ip", "link", "add", BOND, *make])
        stack.callback(_delete, host, BOND)
        for nic in NICS:
            # A bond takes no NIC that is up.
            host.run(["ip", "link", "set", nic, "down"])
            host.run(["ip", "link", "set", nic, "master", BOND])
        for name, tag in zip(vlans, TAGS, strict=True):
            host.run(
                ["ip", "link", "add", "link", BOND, "name", name, "type", "vlan", "id", str(tag)]
            )
        for name in (BOND, *vlans):
            try:
                host.run(["ip", "link", "set", name, "up"])
            except CommandFailed as error:
                # A VLAN comes up on a bond that is up: something has taken it down again.
                raise AssertionError(f"{name} does not come up: {error}") from error
        yield


def _delete(host: Host, name: str) -> None:
    """Delete a link, and what is built on it."""
    if has_link(host, name):
        host.run(["ip", "link", "del", name])


def _expect(
    host: Host, wanted: dict[str, ListedInterface], state: str
) -> dict[str, ListedInterface]:
    """Require libvirt to list interfaces so; returns its list of them."""

    def seen() -> dict[str, ListedInterface]:
        return {name: each for name, each in _listed(host).items() if name in wanted}

    found = poll(seen, lambda found: found == wanted, deadline_s=STATE_DEADLINE_S)
    assert found == wanted, f"{state}, libvirt lists {found}, expected {wanted}"
    return found


def _listed(host: Host) -> dict[str, ListedInterface]:
    try:
        interfaces = host.libvirt.listAllInterfaces()
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:
            raise AssertionError(f"libvirt does not list the interfaces: {error}") from error
        raise NotTestable("libvirt's interface driver", f"listAllInterfaces: {error}") from error
    return {
        each.name(): ListedInterface(bool(each.isActive()), each.MACString()) for each in interfaces
    }
