# SPDX-License-Identifier: GPL-2.0-or-later
"""Throughput and round-trip time: measured, kept raw, and held against the topology's floors."""

from statistics import median

import pytest

from contracts.address_family import IPV4
from fixtures.errors import TrialFailed
from fixtures.plugin.sampling import Sampling, Series
from fixtures.probe.evidence import Evidence
from fixtures.probe.input_exception import input_exception, said
from fixtures.probe.rtt import round_trips_ms
from fixtures.probe.throughput import PORT, TRIALS, Far, tcp_mbit_s, udp
from fixtures.testbed.testbed import Testbed

MEASURED = (("tcp", PORT), ("udp", PORT))


@pytest.mark.lengthy
@pytest.mark.claims("GN-07")
@pytest.mark.needs("iperf3")
def test_guest_host(testbed: Testbed, evidence: Evidence, sampling: Sampling) -> None:
    """Between guest and host: TCP in both directions and UDP with its loss meet the floors.

    Preconditions:
        - the first guest and the host have addresses, and reach each other
    Steps:
        1. Where the host refuses every port that it does not know, let in that of iperf3.
        2. Measure TCP from guest to host and from host to guest, in several trials each.
        3. Offer the topology's UDP rate from guest to host, in several trials.
    Verify:
        - the median of each TCP direction is at or above the topology's TCP floor
        - the median of the UDP rate that arrives is at or above the topology's UDP floor
        - the median of the UDP loss is at or below the topology's limit
    """
    guest, floors = testbed.guests[0], testbed.floors
    host = Far(testbed.host, testbed.host_address)
    upward = Series(lambda: tcp_mbit_s(guest, host), TRIALS)
    downward = Series(lambda: tcp_mbit_s(guest, host, reverse=True), TRIALS)
    datagrams = Series(lambda: udp(guest, host, floors.udp_offered_mbit_s), TRIALS)
    try:
        with input_exception(testbed.host, IPV4, MEASURED) as let_in:
            sampling.take(upward, downward, datagrams)
    except TrialFailed as error:
        raise AssertionError(error.message) from error
    rates, losses = zip(*((d.mbit_s, d.lost_percent) for d in datagrams.samples), strict=True)
    up = evidence.measurement("tcp guest → host", "Mbit/s", upward.samples, "more")
    down = evidence.measurement("tcp host → guest", "Mbit/s", downward.samples, "more")
    rate = evidence.measurement("udp guest → host", "Mbit/s", rates, "more")
    loss = evidence.measurement("udp guest → host loss", "%", losses, "less")
    evidence.reason = (
        f"median of {len(up)}: TCP {median(up):.0f} up, {median(down):.0f} down, "
        f"UDP {median(rate):.1f} of {floors.udp_offered_mbit_s:g} Mbit/s, {median(loss):.1f} % lost"
        f"{said(let_in, MEASURED)}"
    )
    for name, rates_tcp in (("guest → host", up), ("host → guest", down)):
        floor = floors.guest_host_tcp_mbit_s
        assert median(rates_tcp) >= floor, (
            f"TCP {name}: median {median(rates_tcp):.1f} Mbit/s of {len(rates_tcp)} trials, "
            f"floor {floor:g}"
        )
    floor = floors.guest_host_udp_mbit_s
    assert median(rate) >= floor, f"UDP: median {median(rate):.1f} Mbit/s, floor {floor:g}"
    most = floors.udp_loss_max_percent
    assert median(loss) <= most, (
        f"UDP: median loss {median(loss):.1f} %, at most {most:g} % allowed"
    )


@pytest.mark.lengthy
@pytest.mark.claims("GN-08")
@pytest.mark.needs("iperf3")
def test_guest_guest(testbed: Testbed, evidence: Evidence, sampling: Sampling) -> None:
    """Between two guests: TCP throughput and round-trip times.

    Preconditions:
        - two guests have their addresses, and reach each other
    Steps:
        1. Ping the second guest from the first, in bursts of 20.
        2. Measure TCP from the first guest to the second, in several trials.
    Verify:
        - at least one ping is answered; the round-trip times are kept, and have no floor
        - the median of the TCP rates is at or above the topology's floor
    """
    one, two = testbed.guests[:2]
    bursts = Series(lambda: round_trips_ms(one, two.address), 1)
    tcp = Series(lambda: tcp_mbit_s(one, Far(two, two.address)), TRIALS)
    try:
        sampling.take(bursts, tcp)
    except TrialFailed as error:
        raise AssertionError(error.message) from error
    echoes = [time for burst in bursts.samples for time in burst]
    # A burst in which nothing was answered gave no sample.
    lengths = [len(burst) for burst in bursts.samples if burst]
    rates = evidence.measurement("tcp guest → guest", "Mbit/s", tcp.samples, "more")
    times = evidence.measurement("round trip guest → guest", "ms", echoes, "less", lengths)
    assert times, f"no ping from {one.name} to {two.name} was answered"
    evidence.reason = (
        f"median of {len(rates)}: {median(rates):.0f} Mbit/s; "
        f"median round trip of {len(times)}: {median(times):.2f} ms"
    )
    floor = testbed.floors.guest_guest_tcp_mbit_s
    assert median(rates) >= floor, f"TCP: median {median(rates):.1f} Mbit/s, floor {floor:g}"
