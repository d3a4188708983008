# SPDX-License-Identifier: GPL-2.0-or-later
"""Neighbour discovery through a bridge that looks at who wants which group."""

from ipaddress import IPv6Network

import pytest
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from fixtures.errors import Inconclusive
from fixtures.guest.guest import GUEST_TOOL, NIC
from fixtures.probe.advertisement import interface_identifier
from fixtures.probe.capture import Capture
from fixtures.probe.evidence import Evidence
from fixtures.switch.multicast_snooping import Snooping, set_snooping, snooping_kept
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll
from suites.neighbours import asked_by, neighbours_of

SETTINGS = (
    Snooping(on=False, querier=False),
    Snooping(on=True, querier=False),
    Snooping(on=True, querier=True),
)
# Nobody has the address, so nobody wants its group (RFC 4291, 2.7.1).
NOBODYS_MAC = "02:00:5e:00:53:01"
NOBODYS_GROUP, NOBODYS_GROUP_MAC = "ff02::1:ff00:5301", "33:33:ff:00:53:01"
# A querier waits for reports before it holds anything back.
EFFECT_DEADLINE_S = 20.0
PASSED_S = 2.0


@pytest.mark.lengthy
@pytest.mark.claims("V6-33")
@pytest.mark.changes_network("sets multicast snooping and the querier of the bridge")
def test_neighbours_answer_with_snooping(testbed: Testbed, evidence: Evidence) -> None:
    """Neighbours find each other with multicast snooping off, on, and on with a querier.

    A solicitation goes to the group of the wanted address. A bridge that snoops, with a querier on
    the link, sends it to the ports alone that reported the group: an MLD report that is lost on
    the way makes a neighbour unreachable.

    Source: RFC 4861, 7.2; RFC 4541, 3; RFC 2710; ip-link(8), `mcast_snooping`, `mcast_querier`.

    Preconditions:
        - the switch is a Linux bridge
        - the guests' kernels have IPv6
    Steps:
        1. Set snooping of the bridge off; on; and on with the bridge as querier, whose members have
           a second to report.
        2. Each time send a solicitation for an address that nobody has from the first guest, with
           a capture on the second guest's TAP.
        3. Each time have each machine on the link forget the others, and ping the link-local
           addresses of all others from it.
        4. Set snooping and querier as they were.
    Verify:
        - each time every ping is answered, by each from each
        - control: with snooping off the solicitation for nobody comes to the second guest, and with
          a querier it does not; else the check is inconclusive
    """
    host, bridge = testbed.host, testbed.linux_bridge
    silent, floods = [], {}
    neighbours = neighbours_of(testbed)
    for each in neighbours:
        assert each.address, f"{each.name} has no link-local address on {each.link}{each.flags}"
    with (
        snooping_kept(host, bridge),
        evidence.capture(host, testbed.guests[1].tap) as frames,
    ):
        for setting in SETTINGS:
            set_snooping(host, bridge, setting)
            floods[setting] = _floods(testbed, frames, wanted=not setting.querier)
            for near in neighbours:
                silent += [
                    f"snooping {setting}: {near.name} → {far}: {answer}"
                    for far, answer in asked_by(near, neighbours).items()
                    if not answer.all_answered
                ]
    said = {str(each): "comes" if came else "does not come" for each, came in floods.items()}
    evidence.json("solicitation-for-nobody.json", said)
    evidence.reason = "each from each with snooping " + "; ".join(
        f"{setting}: a solicitation for nobody {came} to the other guest"
        for setting, came in said.items()
    )
    off, _, asked = SETTINGS
    if not floods[off] or floods[asked]:
        raise Inconclusive(f"the bridge does not do what it is set to: {evidence.reason}")
    assert not silent, f"neighbours do not answer: {'; '.join(silent)}"


def _floods(testbed: Testbed, frames: Capture, *, wanted: bool) -> bool:
    """Whether a solicitation for nobody comes to the second guest; what is wanted is waited for."""
    sender = testbed.guests[0]
    frame = _solicitation_for_nobody(sender.mac)

    def comes() -> bool:
        before = len(frames.frames(_is_for_nobody))
        sender.run([GUEST_TOOL, "frame", NIC, bytes(frame).hex()])
        found = frames.collect(_is_for_nobody, count=before + 1, deadline_s=PASSED_S)
        return len(found) > before

    return poll(comes, lambda came: came == wanted, deadline_s=EFFECT_DEADLINE_S)


def _solicitation_for_nobody(mac: str) -> Packet:
    link_local = IPv6Network("fe80::/64")
    own, nobodys = (str(link_local[interface_identifier(each)]) for each in (mac, NOBODYS_MAC))
    header = IPv6(src=own, dst=NOBODYS_GROUP, hlim=255)
    return Ether(src=mac, dst=NOBODYS_GROUP_MAC) / header / ICMPv6ND_NS(tgt=nobodys)


def _is_for_nobody(packet: Packet) -> bool:
    return bool(packet.dst == NOBODYS_GROUP_MAC)
