# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic monitoring: a bridge of Open vSwitch exports the guests' flows to a collector."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence

import pytest

from contracts.address_family import IPV4
from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.probe.evidence import Evidence
from fixtures.probe.flow_export import Collector, Flow, collector
from fixtures.probe.input_exception import said
from fixtures.probe.reach import ECHO_PORT, send_one
from fixtures.switch.ovs_bridge import vsctl
from fixtures.testbed.ports_let_in import ports_let_in
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll

# The exporters' own clocks are set to 1 s; a busy machine is slower.
EXPORT_DEADLINE_S = 30.0
SENT = (("udp", ECHO_PORT),)
_ports = itertools.count(20001)
# Table of the exporter, and its settings for a collector `{target}`: every packet, each second.
EXPORTERS: dict[str, tuple[str, Sequence[str]]] = {
    "netflow": ("NetFlow", ('targets="{target}"', "active_timeout=1")),
    "sflow": (
        "sFlow",
        ('targets="{target}"', "agent={bridge}", "sampling=1", "polling=0", "header=128"),
    ),
    "ipfix": ("IPFIX", ('targets="{target}"', "sampling=1", "cache_active_timeout=1")),
}


@pytest.mark.claims("OV-17")
@pytest.mark.changes_network("has the bridge export its flows")
@pytest.mark.needs("ovs")
@pytest.mark.parametrize("protocol", list(EXPORTERS))
def test_exports_flows(protocol: str, testbed: Testbed, evidence: Evidence) -> None:
    """The bridge exports each guest's flow to a collector, by NetFlow, sFlow and IPFIX.

    Preconditions:
        - each guest has its address, and reaches the host's address on the bridge
    Steps:
        1. Open a collector on the host's loopback. Where the host refuses every port that it does
           not know, let in that of the UDP probe.
        2. Send UDP from each guest to the host, and read the collector.
        3. Have the bridge export to the collector; send UDP from each guest to the host, each time
           from another port, until the collector has a flow of each guest.
    Verify:
        - the collector gets a flow of each guest, with the guest's address, the host's address and
          a source port that the guest used
        - control: before, nothing is exported to the collector; else the check is inconclusive
    """
    used: set[int] = set()
    with (
        collector(testbed.host, protocol) as listening,
        ports_let_in(testbed, IPV4, SENT) as let_in,
    ):
        for guest in testbed.guests:
            _sent(testbed, guest)
        if listening.flows():
            raise Inconclusive(f"something exports already: {listening.flows()[0]}")
        with _exporter(testbed, protocol, listening):
            found = poll(
                lambda: _exported(testbed, listening, used),
                lambda flows: len(flows) == len(testbed.guests),
                deadline_s=EXPORT_DEADLINE_S,
            )
    evidence.json(
        "flows.json",
        {
            "datagrams": [each.hex() for each in listening.datagrams],
            "guests": {name: vars(flow) for name, flow in found.items()},
        },
    )
    missing = [guest.name for guest in testbed.guests if guest.name not in found]
    assert not missing, (
        f"not within {EXPORT_DEADLINE_S:g} s: a flow of {', '.join(missing)} by {protocol}; "
        f"{len(listening.datagrams)} datagrams came"
    )
    evidence.reason = f"{protocol}{said(let_in, SENT)}: " + "; ".join(
        f"{name}: {flow.source}:{flow.source_port} to {flow.to}" for name, flow in found.items()
    )


def _exported(testbed: Testbed, listening: Collector, used: set[int]) -> dict[str, Flow]:
    """Send from each guest, and return a flow of each that the collector has, by guest."""
    used |= {_sent(testbed, guest) for guest in testbed.guests}
    names = {guest.address: guest.name for guest in testbed.guests}
    return {
        names[flow.source]: flow
        for flow in listening.flows()
        if flow.source in names and flow.to == testbed.host_address and flow.source_port in used
    }


def _sent(testbed: Testbed, guest: Guest) -> int:
    """Send a guest's UDP to the host, and return the source port."""
    port = next(_ports)
    answer = send_one("udp", testbed.guest_end(guest), testbed.end("host"), port=port)
    if not answer.answered:
        raise Inconclusive(f"{guest.name} does not reach the host: {answer}")
    return port


@contextlib.contextmanager
def _exporter(testbed: Testbed, protocol: str, listening: Collector) -> Iterator[None]:
    """Have the bridge export to the collector for a `with` block."""
    table, settings = EXPORTERS[protocol]
    bridge = testbed.switch.name
    words = [word.format(target=listening.target, bridge=bridge) for word in settings]
    argv = ["--", "--id=@new", "create", table, *words]
    vsctl(testbed.host, *argv, "--", "set", "Bridge", bridge, f"{protocol}=@new")
    try:
        yield
    finally:
        vsctl(testbed.host, "clear", "Bridge", bridge, protocol)
