# SPDX-License-Identifier: GPL-2.0-or-later
"""Portgroups of a libvirt network over an Open vSwitch bridge: the VLANs that their NICs are in."""

import contextlib
import functools
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pytest
from scapy.packet import Packet

from fixtures.guest.guest import GUEST_TOOL, Guest
from fixtures.probe.evidence import Evidence
from fixtures.probe.extra_nic import like_the_first, plugged_in
from fixtures.probe.guest_nics import guest_nics, wait_for_nics
from fixtures.probe.station import station
from fixtures.testbed.testbed import Testbed
from fixtures.testbed.uplink_links import nic_in_use
from suites.tagged_frames import Heard, Said, Speaker, require_heard
from topologies.portgroups import NicClass, PortVlan, nic_classes

# Above the others' MACs: see `suites/test_nic_models.py`.
MAC = "52:ff:ff:00:54:{:02x}"
# From the plug to a driver in a guest on a busy machine.
DRIVER_DEADLINE_S = 60.0
WIRE = "the wire"


@dataclass(frozen=True)
class GroupNic:
    """A NIC that a check plugs into a guest, in a portgroup or in the network's own VLANs.

    Attributes:
        guest: the guest.
        of: its class: a portgroup, or the network's own VLANs.
        mac: the NIC's.
        names_it: its `<source>` names the group; else it is in the default one, or in none.
    """

    guest: Guest
    of: NicClass
    mac: str
    names_it: bool

    @property
    def name(self) -> str:
        """How evidence and reasons call it."""
        return f"{self.guest.name}'s NIC in {self.of}"

    @property
    def vlan(self) -> PortVlan:
        """The VLANs of its port."""
        return self.of.vlan


@pytest.mark.claims("OV-19")
@pytest.mark.changes_network("sends frames of its portgroups' VLANs, and of another one")
@pytest.mark.needs("ovs")
def test_frames_are_of_the_groups_vlans(testbed: Testbed, evidence: Evidence) -> None:
    """A NIC in a portgroup sends and gets frames of the group's VLANs, tagged as it asks for.

    So does one that names no portgroup in those of the network itself.

    The wire is the other end of the uplink; of a bridge without one it is a station on a port
    without VLANs of its own, to which all frames come with their tags.

    Source: libvirt, "Network XML format", "Setting VLAN tag"; ovs-vswitchd.conf.db(5), Port,
    `vlan_mode`.

    Preconditions:
        - a portgroup of the network has VLANs, or the network itself
        - each guest takes NICs while it runs
        - the wire can be captured on
    Steps:
        1. Plug a NIC of each portgroup with VLANs into the first two guests, and of a network with
           VLANs one that names no portgroup; with a capture at its TAP and one on the wire.
        2. Have each NIC broadcast a frame without a tag, one with each tag of its group, and one
           with a tag of no group; and the wire one without a tag, and one with each of all tags.
    Verify:
        - with one tag, frames without a tag are on the wire with it, and NICs get them without it
        - of a trunk, frames have their tags on the NIC and on the wire; those of a native VLAN as
          the group asks for
        - nobody hears a frame of another VLAN, and no frame with a tag that the group has not
        - control: each NIC hears the other one of its group, and the wire
    """
    nics = _nics(testbed)
    stranger = _no_groups_tag(nics)
    with _plugged(testbed, evidence, nics) as speakers:
        said, wanted = _expected(nics, stranger)
        require_heard(speakers, said, wanted)
    groups = {str(nic.of): nic.vlan for nic in nics}
    evidence.json("heard.json", sorted(map(str, wanted)))
    said_of = "; ".join(f"{name}: {_words(vlan)}" for name, vlan in groups.items())
    evidence.reason = f"{said_of}; on the wire with their tags, nothing of tag {stranger}"


def _nics(testbed: Testbed) -> list[GroupNic]:
    """Return the NICs to plug in: of each group with VLANs one into each of two guests."""
    network = testbed.topology.network
    every = nic_classes(network.portgroups, network.vlan)
    if not every:
        raise testbed.without(
            "a portgroup with VLANs, or VLANs of the network itself",
            "networks[0] has no vlan, and its portgroups have none",
        )
    first = testbed.guests[0]
    pairs = [(guest, of) for guest in testbed.guests[:2] for of in every]
    return [
        # Of a default group one NIC names it, and the other names none.
        GroupNic(guest, of, MAC.format(number), not of.default or guest is first)
        for number, (guest, of) in enumerate(pairs)
    ]


def _no_groups_tag(nics: list[GroupNic]) -> int:
    taken = {tag for nic in nics for tag in nic.vlan.tags}
    return next(tag for tag in range(2, len(taken) + 3) if tag not in taken)


def _expected(nics: list[GroupNic], stranger: int) -> tuple[list[Said], set[Heard]]:
    """Return all broadcasts, and who is to hear which, with which tag."""
    said: list[Said] = []
    wanted: set[Heard] = set()
    every = sorted({tag for nic in nics for tag in nic.vlan.tags})
    for tag in (None, *every, stranger):
        from_wire = Said(WIRE, tag)
        said.append(from_wire)
        wanted |= {
            (nic.name, from_wire, nic.vlan.arrives_as(tag))
            for nic in nics
            if tag is not None and tag in nic.vlan.tags
        }
    for nic in nics:
        for tag in (None, *nic.vlan.tags, stranger):
            from_nic = Said(nic.name, tag)
            said.append(from_nic)
            if (vlan := nic.vlan.vlan_of(tag)) is None:
                continue
            wanted.add((WIRE, from_nic, vlan))
            wanted |= {
                (other.name, from_nic, other.vlan.arrives_as(vlan))
                for other in nics
                if other is not nic and vlan in other.vlan.tags
            }
    return said, wanted


@contextlib.contextmanager
def _plugged(
    testbed: Testbed, evidence: Evidence, nics: list[GroupNic]
) -> Iterator[dict[str, Speaker]]:
    """Have the NICs in their guests, up and without addresses, and the wire, for a `with` block."""
    with contextlib.ExitStack() as stack:
        speakers = {WIRE: stack.enter_context(_wire(testbed, evidence))}
        for guest in dict.fromkeys(nic.guest for nic in nics):
            own = [nic for nic in nics if nic.guest is guest]
            taps = stack.enter_context(_plugged_into(testbed, guest, own))
            inside = {each.mac: each.name for each in guest_nics(guest)}
            for nic in own:
                link = inside[nic.mac]
                guest.run(["ip", "link", "set", link, "addrgenmode", "none"])
                guest.run(["ip", "link", "set", link, "up"])
                label = nic.mac.replace(":", "")
                frames = stack.enter_context(evidence.capture(testbed.host, taps[nic.mac], label))
                say = functools.partial(_say, guest, link)
                speakers[nic.name] = Speaker(taps[nic.mac], say, frames, hears_outgoing=True)
        yield speakers


@contextlib.contextmanager
def _plugged_into(
    testbed: Testbed, guest: Guest, nics: list[GroupNic]
) -> Iterator[Mapping[str, str]]:
    """Plug NICs into a guest by the libvirt network, each in its group; yields MAC → TAP."""
    source = testbed.libvirt_network.name()
    plugs = [
        replace(
            like_the_first(testbed.switch, guest, "virtio", nic.mac),
            attach="network",
            source=source,
            portgroup=nic.of.portgroup if nic.names_it else None,
        )
        for nic in nics
    ]
    with plugged_in(guest, plugs) as taps:
        wait_for_nics(guest, [nic.mac for nic in nics], DRIVER_DEADLINE_S)
        yield taps


@contextlib.contextmanager
def _wire(testbed: Testbed, evidence: Evidence) -> Iterator[Speaker]:
    """Have the other end of the uplink, or a station where the bridge has none, as a speaker."""
    if not testbed.topology.network.is_on_physical_network:
        with (
            station(testbed.host, testbed.switch, "trunk") as made,
            evidence.capture(made.machine, "eth0", "wire") as frames,
        ):
            yield Speaker(made.port, made.send, frames)
        return
    uplink = testbed.beyond.uplink
    # Behind the uplink's own VLAN, if it is one.
    lan, cable = testbed.lan, uplink.switch_ports[nic_in_use(testbed.host, uplink)]
    with (
        lan.socket(socket.AF_PACKET, socket.SOCK_RAW, bind_to=cable) as out,
        evidence.capture(lan, cable, "wire") as frames,
    ):

        def say(frame: Packet) -> None:
            out.send(bytes(frame))

        yield Speaker(cable, say, frames)


def _say(guest: Guest, link: str, frame: Packet) -> None:
    guest.run([GUEST_TOOL, "frame", link, bytes(frame).hex()])


def _words(vlan: PortVlan) -> str:
    if not vlan.trunk:
        return f"frames without a tag are of VLAN {vlan.tags[0]}"
    native = "" if vlan.native is None else f", {vlan.native} native"
    return f"trunk of {', '.join(map(str, vlan.tags))}{native}"
