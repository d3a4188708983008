# SPDX-License-Identifier: GPL-2.0-or-later
"""Throughput and round-trip time: measured, kept raw, and held against the topology's floors."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from statistics import median
from typing import Any, TypeVar

import pytest

from contracts.address_family import family_of
from fixtures.errors import TrialFailed
from fixtures.guest.guest import Guest
from fixtures.plugin.sampling import Sampling, Series
from fixtures.probe.evidence import Evidence
from fixtures.probe.input_exception import said
from fixtures.probe.rtt import round_trips_ms
from fixtures.probe.throughput import (
    FAR_ABOVE,
    PORT,
    TRIALS,
    Far,
    UdpTrial,
    at_once,
    tcp_mbit_s,
    udp,
    udp_both_ways,
)
from fixtures.testbed.ports_let_in import ports_let_in
from fixtures.testbed.testbed import Testbed
from topologies.throughput import Throughput

# A way with less than this share of another's rate is choked. A limit of 100 kB/s lets a tenth of
# 20 Mbit/s through in the first second, its burst included; healthy ways differ by less than 2.
CHOKED = 0.2
Outcome = TypeVar("Outcome")


@pytest.mark.lengthy
@pytest.mark.alone(after_a_miss=True)
@pytest.mark.claims("GN-07")
@pytest.mark.needs("iperf3")
def test_guest_host(testbed: Testbed, evidence: Evidence, sampling: Sampling) -> None:
    """Between each guest and the host TCP and UDP, with its loss, meet the floors both ways.

    Preconditions:
        - each guest and the host have addresses, and reach each other
    Steps:
        1. Where the host refuses every port that it does not know, let in those of iperf3.
        2. Measure TCP from each guest to the host and from the host to each guest: one trial each,
           where its rate is three times the floor, else three.
        3. Offer the topology's UDP rate from all guests to the host and from the host to all
           guests, at the same time, once.
        4. Offer it alone on each way that did not have twice the floor and half the limit of losses
           beside the others: once if it has that alone, else three times.
        5. Repeat once what missed while other processes used a tenth of the machine's CPU time.
    Verify:
        - the median of the TCP rates, of each guest and direction, is at or above the topology's
          TCP floor
        - the median of the UDP rates that arrive, of each, is at or above the UDP floor
        - the median of the UDP losses, of each, is at or below the topology's limit
        - control: beside such a load, both times, a miss is not the network's; the check is
          inconclusive
    """
    floors, guests, offered = testbed.floors, testbed.guests, testbed.floors.udp_offered_mbit_s
    floor = floors.guest_host_tcp_mbit_s
    # A port for each guest: all are served at once.
    address = testbed.host_address
    served = [
        (guest, Far(testbed.host, address, PORT + number)) for number, guest in enumerate(guests)
    ]
    ports = [(protocol, far.port) for _, far in served for protocol in ("tcp", "udp")]
    tcp = {
        name: Series(
            partial(tcp_mbit_s, guest, far, reverse=reverse),
            TRIALS,
            lambda rate: rate >= FAR_ABOVE * floor,
            compared=guest is guests[0],
        )
        for guest, far in served
        for name, reverse in _both_ways("tcp", guest.name, "host")
    }
    udp_alone = {
        name: Series(
            partial(udp, guest, far, offered, reverse=reverse),
            TRIALS,
            partial(_is_far_from_both, floors),
            compared=False,
        )
        for guest, far in served
        for name, reverse in _both_ways("udp", guest.name, "host")
    }
    of_each = [partial(udp_both_ways, guest, far, offered) for guest, far in served]
    udp_of_all = Series(partial(at_once, of_each), 1)
    with (
        ports_let_in(testbed, family_of(address), ports) as let_in,
        _kept(evidence, tcp | udp_alone | {"udp of all": udp_of_all}),
    ):
        sampling.take(*tcp.values())
        _take_at_once(sampling, udp_of_all, list(udp_alone.values()))
        _require_floor(tcp, sampling, floor)
        _require_udp(floors, udp_alone, sampling)
    first = list(tcp.values())[:2]
    for name, series in zip(("tcp guest → host", "tcp host → guest"), first, strict=True):
        evidence.measurement(name, "Mbit/s", series.samples, "more")
    sent = [trials[0][0] for trials in udp_of_all.samples]
    evidence.measurement("udp guest → host", "Mbit/s", [t.mbit_s for t in sent], "more")
    evidence.measurement("udp guest → host loss", "%", [t.lost_percent for t in sent], "less")
    evidence.reason = f"{_said(tcp)}; {_said(udp_alone)} Mbit/s{said(let_in, ports)}"


@pytest.mark.lengthy
@pytest.mark.alone(after_a_miss=True)
@pytest.mark.claims("GN-08")
@pytest.mark.needs("iperf3")
def test_guest_guest(testbed: Testbed, evidence: Evidence, sampling: Sampling) -> None:
    """Between guests: TCP and UDP throughput, and round-trip times.

    Each guest sends to the next, and the last one to the first: so each sends and receives.

    Preconditions:
        - two guests or more have their addresses, and reach each other
    Steps:
        1. Ping the second guest from the first, in bursts of 20.
        2. Measure TCP from each guest to the next.
        3. Offer the topology's UDP rate between each guest and the next, both ways, all at once.
        4. Repeat a rate that is missed, in three trials; and once more if other processes used a
           tenth of the machine's CPU time meanwhile.
    Verify:
        - at least one ping is answered; the round-trip times are kept, and have no floor
        - TCP and UDP arrive on each way
        - between guests with NICs of one model no way carries less than a fifth of another's rate
        - where the topology file has a floor between guests, the median of the TCP rates is at or
          above it
        - control: beside such a load, both times, a miss is not the network's; the check is
          inconclusive
    """
    guests, offered = testbed.guests, testbed.floors.udp_offered_mbit_s
    pairs = list(zip(guests, (*guests[1:], guests[0]), strict=True))
    bursts = Series(lambda: round_trips_ms(guests[0], guests[1].address), 1)
    tcp = {
        f"tcp {one.name} → {other.name}": Series(
            partial(tcp_mbit_s, one, Far(other, other.address)),
            TRIALS,
            lambda _: True,
            compared=one is guests[0],
        )
        for one, other in pairs
    }
    # Of two guests the first pair's way back is the second pair.
    joined = [
        (one, Far(other, other.address))
        for one, other in (pairs[:1] if len(guests) == 2 else pairs)
    ]
    udp_alone = {
        name: Series(partial(_udp_rate, one, far, offered, reverse=reverse), TRIALS, compared=False)
        for one, far in joined
        for name, reverse in _both_ways("udp", one.name, far.runs_on.name)
    }
    of_each = [partial(udp_both_ways, one, far, offered) for one, far in joined]
    udp_of_all = Series(partial(at_once, of_each), 1, compared=False)
    with _kept(evidence, tcp | udp_alone | {"udp of all": udp_of_all}):
        sampling.take(bursts, *tcp.values())
        _take_at_once(sampling, udp_of_all, list(udp_alone.values()), lambda trial: trial.mbit_s)
        for measured in (tcp, udp_alone):
            _require_carried(measured, sampling, alike=_is_of_one_model(guests))
        _require_floor(tcp, sampling, testbed.floors.guest_guest_tcp_mbit_s)
    first = next(iter(tcp.values()))
    echoes = [time for burst in bursts.samples for time in burst]
    # A burst in which nothing was answered gave no sample.
    lengths = [len(burst) for burst in bursts.samples if burst]
    evidence.measurement("tcp guest → guest", "Mbit/s", first.samples, "more")
    times = evidence.measurement("round trip guest → guest", "ms", echoes, "less", lengths)
    assert times, f"no ping from {guests[0].name} to {guests[1].name} was answered"
    evidence.reason = (
        f"{_said(tcp)}; {_said(udp_alone)} Mbit/s; "
        f"median round trip of {len(times)}: {median(times):.2f} ms"
    )


def _both_ways(protocol: str, one: str, other: str) -> Iterator[tuple[str, bool]]:
    """Return the names of a path's two ways, and whether the way is the reverse one."""
    yield f"{protocol} {one} → {other}", False
    yield f"{protocol} {other} → {one}", True


def _take_at_once(
    sampling: Sampling,
    together: Series[list[tuple[Outcome, Outcome]]],
    ways: Sequence[Series[Any]],
    of: Callable[[Outcome], Any] = lambda outcome: outcome,
) -> None:
    """Measure paths at once, both ways each, and give each way its samples.

    Args:
        sampling: takes them.
        together: a sample has both ways of each path.
        ways: of the same paths, in their order; trials of theirs are made alone.
        of: what such a trial would have as its sample.
    """
    sampling.take(together)
    for number, way in enumerate(ways):
        way.samples = [of(sample[number // 2][number % 2]) for sample in together.samples]
        way.loads = list(together.loads)


def _is_far_from_both(floors: Throughput, trial: UdpTrial) -> bool:
    """Whether a way is far above the UDP floor and far below the limit of losses."""
    return (
        trial.mbit_s >= 2 * floors.guest_host_udp_mbit_s
        and trial.lost_percent <= floors.udp_loss_max_percent / 2
    )


def _require_udp(
    floors: Throughput, measured: Mapping[str, Series[UdpTrial]], sampling: Sampling
) -> None:
    """Assert that UDP meets the floors on each way: beside the others, or alone."""

    def meets(trials: list[UdpTrial]) -> bool:
        return (
            median(trial.mbit_s for trial in trials) >= floors.guest_host_udp_mbit_s
            and median(trial.lost_percent for trial in trials) <= floors.udp_loss_max_percent
        )

    for name, series in measured.items():

        def missed(trials: list[UdpTrial], name: str = name) -> str:
            return (
                f"{name}: median {median(t.mbit_s for t in trials):.1f} Mbit/s of {len(trials)} "
                f"trials, floor {floors.guest_host_udp_mbit_s:g}; "
                f"{median(t.lost_percent for t in trials):.1f} % lost, at most "
                f"{floors.udp_loss_max_percent:g} % allowed"
            )

        if not (series.ends_early and meets(series.samples)):
            # Beside the others it was short of CPU time, or of the path: alone it is the path.
            series.samples, series.loads = [], []
            sampling.take(series)
        assert sampling.holds(series, meets, missed), missed(series.samples)


def _require_carried(
    measured: Mapping[str, Series[float]], sampling: Sampling, *, alike: bool
) -> None:
    """Assert that something arrives on each way and, between like guests, that none is choked."""
    best = max(median(series.samples) for series in measured.values())
    least = CHOKED * best if alike else 0.0

    def meets(rates: list[float]) -> bool:
        return median(rates) > 0 and median(rates) >= least

    for name, series in measured.items():

        def missed(rates: list[float], name: str = name) -> str:
            rest = f", less than a fifth of {best:.1f} on another way" if alike else ""
            return f"{name}: median {median(rates):.1f} Mbit/s of {len(rates)} trials{rest}"

        assert sampling.holds(series, meets, missed), missed(series.samples)


def _require_floor(
    measured: Mapping[str, Series[float]], sampling: Sampling, floor: float | None
) -> None:
    """Assert that each rate is at or above a floor, if there is one."""
    if floor is None:
        return
    for name, series in measured.items():
        said = partial(_rates, name, floor=floor)
        assert sampling.holds(series, lambda rates: median(rates) >= floor, said), said(
            series.samples
        )


def _udp_rate(one: Guest, far: Far, offered_mbit_s: float, *, reverse: bool) -> float:
    return udp(one, far, offered_mbit_s, reverse=reverse).mbit_s


def _rates(name: str, rates: list[float], *, floor: float) -> str:
    return f"{name}: median {median(rates):.1f} Mbit/s of {len(rates)} trials, floor {floor:g}"


def _said(measured: Mapping[str, Series[Any]]) -> str:
    """Return the median rate of each way in words."""
    return "; ".join(
        f"{name} {median(map(_rate, each.samples)):.0f}" for name, each in measured.items()
    )


def _rate(sample: float | UdpTrial) -> float:
    return sample.mbit_s if isinstance(sample, UdpTrial) else sample


def _is_of_one_model(guests: list[Guest]) -> bool:
    return len({guest.plan.nics[0].model for guest in guests}) == 1


def _plain(sample: Any) -> Any:
    """Return a sample as JSON has it."""
    if isinstance(sample, UdpTrial):
        return asdict(sample)
    return [_plain(part) for part in sample] if isinstance(sample, list | tuple) else sample


@contextlib.contextmanager
def _kept(evidence: Evidence, measured: Mapping[str, Series[Any]]) -> Iterator[None]:
    """Keep all samples and the load beside them; a trial that the network fails is a violation."""
    try:
        yield
    except TrialFailed as error:
        raise AssertionError(error.message) from error
    finally:
        evidence.json(
            "samples.json",
            {
                name: {
                    "samples": [_plain(sample) for sample in series.samples],
                    "foreign_load": [round(load.share, 3) for load in series.loads],
                }
                for name, series in measured.items()
            },
        )
