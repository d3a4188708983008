# SPDX-License-Identifier: GPL-2.0-or-later
"""Throughput and round-trip time: measured, kept raw, and held against the topology's floors."""

import itertools
from collections.abc import Mapping
from functools import partial
from statistics import median
from typing import Any

import pytest

from contracts.address_family import AddressFamily
from fixtures.guest.guest import Guest
from fixtures.plugin.sampling import Sampling, Series
from fixtures.probe.evidence import Evidence
from fixtures.probe.input_exception import said
from fixtures.probe.rtt import round_trips_ms
from fixtures.probe.throughput import (
    FAR_ABOVE,
    TRIALS,
    Far,
    UdpTrial,
    at_once,
    tcp_both_ways,
    tcp_mbit_s,
    udp,
    udp_both_ways,
)
from fixtures.testbed.testbed import Testbed
from suites.paths_to_host import ServedPaths, paths_to_host, ports_of
from suites.throughput_ways import (
    Path,
    is_far_from_both,
    kept,
    left_in_words,
    measured_families,
    rates_in_words,
    require_carried,
    require_floor,
    require_udp,
    take_at_once,
)

# A TCP way that is measured beside others is offered so many times what is far above its floor.
OFFERED = 1.2
# Between guests TCP by a further family is offered so many times the rate of UDP.
OFFERED_OF_UDP = 5


@pytest.mark.lengthy
@pytest.mark.alone(after_a_miss=True)
@pytest.mark.claims("GN-07")
@pytest.mark.needs("iperf3")
def test_guest_host(testbed: Testbed, evidence: Evidence, sampling: Sampling) -> None:
    """Between each guest and the host TCP and UDP, with its loss, meet the floors both ways.

    So they do by each address family that the guests and the host have.

    Preconditions:
        - each guest and the host have addresses, and reach each other
    Steps:
        1. Where the host refuses every port that it does not know, let in those of iperf3.
        2. Measure TCP from the first guest to the host and from the host to it, as fast as it goes:
           one trial each, where its rate is three times the floor, else three.
        3. Offer 3.6 times the TCP floor on every other way, at the same time, once: of the other
           guests, and of all guests by a further family. Measure one that had less than three
           times its floor alone, as in 2.
        4. For each family, offer the topology's UDP rate from all guests to the host and from the
           host to all guests, at the same time, once.
        5. Offer it alone on each way that did not have twice the floor and half the limit of losses
           beside the others: once if it has that alone, else three times.
        6. Repeat once what missed while other processes used a tenth of the machine's CPU time.
    Verify:
        - the median of the TCP rates, of each guest, direction and family, is at or above the
          topology's TCP floor
        - the median of the UDP rates that arrive, of each, is at or above the UDP floor
        - the median of the UDP losses, of each, is at or below the topology's limit
        - control: beside such a load, both times, a miss is not the network's; the check is
          inconclusive
    """
    with paths_to_host(testbed) as served:
        _measure_to_host(testbed, served, evidence, sampling)


def _measure_to_host(
    testbed: Testbed, served: ServedPaths, evidence: Evidence, sampling: Sampling
) -> None:
    floors, offered = testbed.floors, testbed.floors.udp_offered_mbit_s
    floor, paths = floors.guest_host_tcp_mbit_s, served.paths
    tcp = {
        name: Series(
            partial(tcp_mbit_s, path.guest, path.far, reverse=reverse),
            TRIALS,
            lambda rate: rate >= FAR_ABOVE * floor,
            compared=path is paths[0],
        )
        for path in paths
        for name, reverse in path.ways("tcp")
    }
    first, others = dict(list(tcp.items())[:2]), dict(list(tcp.items())[2:])
    tcp_of_others = Series(
        partial(at_once, [_tcp_beside(path, OFFERED * FAR_ABOVE * floor) for path in paths[1:]]),
        1,
        compared=False,
    )
    udp_alone = {
        name: Series(
            partial(udp, path.guest, path.far, offered, reverse=reverse),
            TRIALS,
            partial(is_far_from_both, floors),
            compared=False,
        )
        for path in paths
        for name, reverse in path.ways("udp")
    }
    udp_of_all = {
        f"udp of all{of_one[0].by}": Series(
            partial(at_once, [partial(udp_both_ways, p.guest, p.far, offered) for p in of_one]),
            1,
            compared=of_one[0] is paths[0],
        )
        for of_one in served.by_family.values()
    }
    of_others = {"tcp of others": tcp_of_others} if others else {}
    with kept(evidence, {**tcp, **udp_alone, **of_others, **udp_of_all}):
        sampling.take(*first.values())
        if others:
            take_at_once(sampling, tcp_of_others, list(others.values()))
        ways = iter(udp_alone.values())
        for of_one, together in zip(served.by_family.values(), udp_of_all.values(), strict=True):
            take_at_once(sampling, together, list(itertools.islice(ways, 2 * len(of_one))))
        require_floor(first, sampling, floor)
        require_floor(others, sampling, floor, were_at_once=True)
        require_udp(floors, udp_alone, sampling)
    for name, series in zip(("tcp guest → host", "tcp host → guest"), first.values(), strict=True):
        evidence.measurement(name, "Mbit/s", series.samples, "more")
    sent: list[UdpTrial] = [trials[0][0] for trials in next(iter(udp_of_all.values())).samples]
    if sent:
        evidence.measurement("udp guest → host", "Mbit/s", [t.mbit_s for t in sent], "more")
        evidence.measurement("udp guest → host loss", "%", [t.lost_percent for t in sent], "less")
    beside = f"; at once {rates_in_words(others)}" if others else ""
    evidence.reason = (
        f"{rates_in_words(first)}{beside}; {rates_in_words(udp_alone)} Mbit/s"
        f"{said(served.let_in, ports_of(paths))}{left_in_words(served.left)}"
    )


def _tcp_beside(path: Path, offered_mbit_s: float) -> partial[tuple[float, float]]:
    return partial(tcp_both_ways, path.guest, path.far, offered_mbit_s)


@pytest.mark.lengthy
@pytest.mark.alone(after_a_miss=True)
@pytest.mark.claims("GN-08")
@pytest.mark.needs("iperf3")
def test_guest_guest(testbed: Testbed, evidence: Evidence, sampling: Sampling) -> None:
    """Between guests: TCP and UDP throughput, and round-trip times.

    Each guest sends to the next, and the last one to the first: so each sends and receives, by each
    address family that the guests have.

    Preconditions:
        - two guests or more have their addresses, and reach each other
    Steps:
        1. Ping each guest's next from it, in bursts of 20.
        2. Measure TCP from each guest to the next, as fast as it goes.
        3. By a further family, offer TCP at five times the topology's UDP rate between each guest
           and the next, both ways, all at once.
        4. Offer the topology's UDP rate between each guest and the next, both ways, all at once,
           for each family.
        5. Repeat a rate that is missed, alone, in three trials; and once more if other processes
           used a tenth of the machine's CPU time meanwhile.
    Verify:
        - on each way at least one ping is answered; the round-trip times have no floor, and those
          of the first way are kept
        - TCP and UDP arrive on each way
        - between guests with NICs of one model no way carries less than a fifth of another's rate
          of the same family; by a further family that is a fifth of the rate that is offered
        - where the topology file has a floor between guests, the median of the TCP rates is at or
          above it
        - control: beside such a load, both times, a miss is not the network's; the check is
          inconclusive
    """
    guests, alike = testbed.guests, _is_of_one_model(testbed.guests)
    bursts = {
        f"round trip {one.name} → {other.name}": Series(
            partial(round_trips_ms, one, other.address), 1, compared=one is guests[0]
        )
        for one, other in _pairs(guests)
    }
    tcp = {
        f"tcp {one.name} → {other.name}": Series(
            partial(tcp_mbit_s, one, Far(other, other.address)),
            TRIALS,
            lambda _: True,
            compared=one is guests[0],
        )
        for one, other in _pairs(guests)
    }
    measured = measured_families(testbed)
    ways = [_Between(testbed, family, by) for family, by in measured.words.items()]
    every = {name: series for way in ways for name, series in way.every.items()}
    with kept(evidence, tcp | every):
        sampling.take(*bursts.values(), *tcp.values())
        require_carried(tcp, sampling, alike=alike)
        require_floor(tcp, sampling, testbed.floors.guest_guest_tcp_mbit_s)
        for way in ways:
            way.measure(sampling, alike=alike)
    first = next(iter(tcp.values()))
    evidence.measurement("tcp guest → guest", "Mbit/s", first.samples, "more")
    times = _round_trips(evidence, bursts)
    rates = "; ".join((rates_in_words(tcp), *(rates_in_words(way.alone) for way in ways)))
    evidence.reason = (
        f"{rates} Mbit/s; median round trip of {len(times)}: {median(times):.2f} ms"
        f"{left_in_words(measured.left)}"
    )


def _round_trips(evidence: Evidence, bursts: Mapping[str, Series[list[float]]]) -> list[float]:
    """Keep the round-trip times of the first way, and require some of each; returns the first's."""
    first, *_others = bursts.values()
    echoes = [time for burst in first.samples for time in burst]
    # A burst in which nothing was answered gave no sample.
    lengths = [len(burst) for burst in first.samples if burst]
    times = evidence.measurement("round trip guest → guest", "ms", echoes, "less", lengths)
    for way, series in bursts.items():
        assert any(series.samples), f"{way}: no ping was answered"
    return times


class _Between:
    """What is offered between each guest and the next by one family, both ways, at once.

    Attributes:
        alone: each way by its name; its trials are made alone.
        every: these, and the trials of all ways at once.
    """

    def __init__(self, testbed: Testbed, family: AddressFamily, by: str) -> None:
        floors, pairs = testbed.floors, _pairs(testbed.guests)
        # Of two guests the first pair's way back is the second pair.
        joined = pairs[:1] if len(testbed.guests) == 2 else pairs
        paths = [Path(one, Far(other, other.address_of(family)), by) for one, other in joined]
        udp_rate, tcp_rate = floors.udp_offered_mbit_s, OFFERED_OF_UDP * floors.udp_offered_mbit_s
        self._udp = {
            name: Series(
                partial(_udp_rate, path.guest, path.far, udp_rate, reverse=reverse),
                TRIALS,
                compared=False,
            )
            for path in paths
            for name, reverse in path.ways("udp")
        }
        # By the first family TCP is measured as fast as it goes.
        self._tcp = {
            name: Series(
                partial(tcp_mbit_s, path.guest, path.far, reverse=reverse, offered_mbit_s=tcp_rate),
                TRIALS,
                compared=False,
            )
            for path in (paths if by else ())
            for name, reverse in path.ways("tcp")
        }
        self._udp_of_all = Series(
            partial(at_once, [partial(udp_both_ways, p.guest, p.far, udp_rate) for p in paths]),
            1,
            compared=False,
        )
        self._tcp_of_all = Series(
            partial(at_once, [_tcp_beside(path, tcp_rate) for path in paths]), 1, compared=False
        )
        self.alone = self._tcp | self._udp
        self.every: dict[str, Series[Any]] = {
            **self.alone,
            f"udp of all{by}": self._udp_of_all,
        }
        if self._tcp:
            self.every[f"tcp of all{by}"] = self._tcp_of_all

    def measure(self, sampling: Sampling, *, alike: bool) -> None:
        """Measure each way, and assert that it is carried."""
        if self._tcp:
            take_at_once(sampling, self._tcp_of_all, list(self._tcp.values()))
            require_carried(self._tcp, sampling, alike=alike, were_at_once=True)
        ways = list(self._udp.values())
        take_at_once(sampling, self._udp_of_all, ways, lambda trial: trial.mbit_s)
        require_carried(self._udp, sampling, alike=alike)


def _pairs(guests: list[Guest]) -> list[tuple[Guest, Guest]]:
    """Return each guest with the next, and the last one with the first."""
    return list(zip(guests, (*guests[1:], guests[0]), strict=True))


def _udp_rate(one: Guest, far: Far, offered_mbit_s: float, *, reverse: bool) -> float:
    return udp(one, far, offered_mbit_s, reverse=reverse).mbit_s


def _is_of_one_model(guests: list[Guest]) -> bool:
    return len({guest.plan.nics[0].model for guest in guests}) == 1
