# SPDX-License-Identifier: GPL-2.0-or-later
"""Throughput and round-trip time: measured, kept raw, and held against the topology's floors."""

from statistics import median

import pytest

from fixtures.evidence import Evidence
from fixtures.probe.rtt import round_trips_ms
from fixtures.probe.throughput import TRIALS, Far, tcp_mbit_s, udp
from fixtures.standing import Standing


@pytest.mark.lengthy
@pytest.mark.claims("GN-07")
def test_guest_host(net: Standing, evidence: Evidence) -> None:
    """Between guest and host: TCP in both directions and UDP with its loss meet the floors.

    Verify: the median of the trials is at or above the floor of the topology.
    """
    guest, floors = net.guests[0], net.topology.throughput
    host = Far(net.host, net.host_address)
    up = [tcp_mbit_s(guest, host) for _ in range(TRIALS)]
    down = [tcp_mbit_s(guest, host, reverse=True) for _ in range(TRIALS)]
    datagrams = [udp(guest, host, floors.udp_offered_mbit_s) for _ in range(TRIALS)]
    rate, loss = [d.mbit_s for d in datagrams], [d.lost_percent for d in datagrams]
    evidence.measurement("tcp guest → host", "Mbit/s", up)
    evidence.measurement("tcp host → guest", "Mbit/s", down)
    evidence.measurement("udp guest → host", "Mbit/s", rate)
    evidence.measurement("udp guest → host loss", "%", loss)
    evidence.reason = (
        f"median of {TRIALS}: TCP {median(up):.0f} up, {median(down):.0f} down, "
        f"UDP {median(rate):.1f} of {floors.udp_offered_mbit_s:g} Mbit/s, {median(loss):.1f} % lost"
    )
    for name, rates in (("guest → host", up), ("host → guest", down)):
        floor = floors.guest_host_tcp_mbit_s
        assert median(rates) >= floor, (
            f"TCP {name}: median {median(rates):.1f} Mbit/s of {len(rates)} trials, floor {floor:g}"
        )
    floor = floors.guest_host_udp_mbit_s
    assert median(rate) >= floor, f"UDP: median {median(rate):.1f} Mbit/s, floor {floor:g}"
    most = floors.udp_loss_max_percent
    assert median(loss) <= most, (
        f"UDP: median loss {median(loss):.1f} %, at most {most:g} % allowed"
    )


@pytest.mark.lengthy
@pytest.mark.claims("GN-08")
def test_guest_guest(net: Standing, evidence: Evidence) -> None:
    """Between two guests: TCP throughput and round-trip times."""
    one, two = net.guests[:2]
    times = round_trips_ms(one, two.address)
    rates = [tcp_mbit_s(one, Far(two, two.address)) for _ in range(TRIALS)]
    evidence.measurement("tcp guest → guest", "Mbit/s", rates)
    evidence.measurement("round trip guest → guest", "ms", times)
    evidence.reason = (
        f"median of {TRIALS}: {median(rates):.0f} Mbit/s; "
        f"median round trip of {len(times)}: {median(times):.2f} ms"
    )
    assert times, f"no ping from {one.name} to {two.name} was answered"
    floor = net.topology.throughput.guest_guest_tcp_mbit_s
    assert median(rates) >= floor, f"TCP: median {median(rates):.1f} Mbit/s, floor {floor:g}"
