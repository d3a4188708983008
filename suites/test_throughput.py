# SPDX-License-Identifier: GPL-2.0-or-later
"""Throughput and round-trip time: measured, kept raw, and held against the topology's floors."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Any

import pytest

from contracts.address_family import IPV4
from fixtures.errors import TrialFailed
from fixtures.guest.guest import Guest
from fixtures.plugin.sampling import Sampling, Series
from fixtures.probe.evidence import Evidence
from fixtures.probe.input_exception import input_exception, said
from fixtures.probe.rtt import round_trips_ms
from fixtures.probe.throughput import (
    FAR_ABOVE,
    PORT,
    TRIALS,
    Far,
    UdpTrial,
    tcp_mbit_s,
    udp,
    udp_at_once,
)
from fixtures.testbed.testbed import Testbed

# A way with less than this share of another's rate is choked. A limit of 100 kB/s lets a tenth of
# 20 Mbit/s through in the first second, its burst included; healthy ways differ by less than 2.
CHOKED = 0.2
# The port of the host that the guests' clients reach.
MEASURED = (("tcp", PORT),)


@dataclass(frozen=True)
class UdpWays:
    """UDP between the host and all guests at once, in one direction.

    Attributes:
        name: the direction.
        reverse: the guests send.
        at_once: each sample has a trial of every guest, in their order.
    """

    name: str
    reverse: bool
    at_once: Series[list[UdpTrial]]

    def of(self, number: int) -> list[UdpTrial]:
        """Return the trials of one guest."""
        return [trials[number] for trials in self.at_once.samples]

    def __str__(self) -> str:
        rates = (
            median(trial.mbit_s for trial in trials)
            for trials in zip(*self.at_once.samples, strict=True)
        )
        return f"{self.name} {', '.join(f'{rate:.1f}' for rate in rates)}"


@pytest.mark.lengthy
@pytest.mark.alone
@pytest.mark.claims("GN-07")
@pytest.mark.needs("iperf3")
def test_guest_host(testbed: Testbed, evidence: Evidence, sampling: Sampling) -> None:
    """Between each guest and the host TCP and UDP, with its loss, meet the floors both ways.

    Preconditions:
        - each guest and the host have addresses, and reach each other
    Steps:
        1. Where the host refuses every port that it does not know, let in that of iperf3.
        2. Measure TCP from each guest to the host and from the host to each guest: one trial each,
           where its rate is five times the floor, else three.
        3. Offer the topology's UDP rate from all guests to the host at once, and from the host to
           all guests, as often; the guests serve.
        4. Offer it alone, in three trials, on each way that missed beside the others.
        5. Repeat once what missed while other processes used a tenth of the machine's CPU time.
    Verify:
        - the median of the TCP rates, of each guest and direction, is at or above the topology's
          TCP floor
        - the median of the UDP rates that arrive, of each, is at or above the UDP floor
        - the median of the UDP losses, of each, is at or below the topology's limit
        - control: beside such a load, both times, a miss is not the network's; the check is
          inconclusive
    """
    floors, host = testbed.floors, Far(testbed.host, testbed.host_address)
    floor = floors.guest_host_tcp_mbit_s
    tcp = {
        name: Series(
            trial,
            TRIALS,
            lambda rate: rate >= FAR_ABOVE * floor,
            compared=guest is testbed.guests[0],
        )
        for guest in testbed.guests
        for name, trial in (
            (f"tcp {guest.name} → host", partial(tcp_mbit_s, guest, host)),
            (f"tcp host → {guest.name}", partial(tcp_mbit_s, guest, host, reverse=True)),
        )
    }
    up, down = (_udp_of_all(testbed, reverse=reverse) for reverse in (True, False))
    udp_series = {f"udp {ways.name}": ways.at_once for ways in (up, down)}
    with (
        input_exception(testbed.host, IPV4, MEASURED) as let_in,
        _kept(evidence, tcp | udp_series),
    ):
        sampling.take(*tcp.values(), *udp_series.values())
        for name, series in tcp.items():
            assert sampling.holds(
                series, lambda rates: median(rates) >= floor, partial(_rates, name, floor=floor)
            ), _rates(name, series.samples, floor=floor)
        for guest in testbed.guests:
            for ways in (up, down):
                _require_udp(testbed, guest, ways, sampling)
    _keep_measurements(evidence, tcp, up)
    rates = "; ".join(f"{name} {median(series.samples):.0f}" for name, series in tcp.items())
    evidence.reason = (
        f"{rates}; UDP of {floors.udp_offered_mbit_s:g} Mbit/s {up}, {down}{said(let_in, MEASURED)}"
    )


@pytest.mark.lengthy
@pytest.mark.alone
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
        3. Offer the topology's UDP rate from each guest to the next, all at once.
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
    ways = [(one, Far(other, other.address)) for one, other in pairs]
    names = [f"{one.name} → {other.name}" for one, other in pairs]
    bursts = Series(lambda: round_trips_ms(guests[0], guests[1].address), 1)
    tcp = {
        f"tcp {name}": Series(
            partial(tcp_mbit_s, one, far), TRIALS, lambda _: True, compared=one is guests[0]
        )
        for name, (one, far) in zip(names, ways, strict=True)
    }
    at_once = Series(lambda: udp_at_once(ways, offered), 1, compared=False)
    with _kept(evidence, tcp | {"udp, all at once": at_once}):
        sampling.take(bursts, *tcp.values(), at_once)
        udp_alone = {
            f"udp {name}": Series(partial(_udp_rate, one, far, offered), TRIALS, compared=False)
            for name, (one, far) in zip(names, ways, strict=True)
        }
        for number, series in enumerate(udp_alone.values()):
            series.samples = [trials[number].mbit_s for trials in at_once.samples]
            series.loads = list(at_once.loads)
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
    rates = (f"{name} {median(each.samples):.0f}" for name, each in (tcp | udp_alone).items())
    evidence.reason = (
        f"{'; '.join(rates)} Mbit/s; median round trip of {len(times)}: {median(times):.2f} ms"
    )


def _udp_of_all(testbed: Testbed, *, reverse: bool) -> UdpWays:
    """Return UDP between the host and all guests at once; reversed, it is the guests that send."""
    floors = testbed.floors
    # The guests serve, each its own client: the host has one port for a server.
    ways = [(testbed.host, Far(guest, guest.address)) for guest in testbed.guests]

    def is_far_from_both(trials: list[UdpTrial]) -> bool:
        return all(
            trial.mbit_s >= 2 * floors.guest_host_udp_mbit_s
            and trial.lost_percent <= floors.udp_loss_max_percent / 2
            for trial in trials
        )

    trial = partial(udp_at_once, ways, floors.udp_offered_mbit_s, reverse=reverse)
    return UdpWays(
        "to the host" if reverse else "from the host",
        reverse,
        Series(trial, TRIALS, is_far_from_both, compared=reverse),
    )


def _require_udp(testbed: Testbed, guest: Guest, ways: UdpWays, sampling: Sampling) -> None:
    """Assert that UDP of a guest meets the floors: beside that of the others, or alone."""
    floors = testbed.floors

    def meets(trials: list[UdpTrial]) -> bool:
        return (
            median(trial.mbit_s for trial in trials) >= floors.guest_host_udp_mbit_s
            and median(trial.lost_percent for trial in trials) <= floors.udp_loss_max_percent
        )

    def missed(trials: list[UdpTrial]) -> str:
        return (
            f"udp of {guest.name} {ways.name}: median {median(t.mbit_s for t in trials):.1f} "
            f"Mbit/s, floor {floors.guest_host_udp_mbit_s:g}; "
            f"{median(t.lost_percent for t in trials):.1f} % lost, at most "
            f"{floors.udp_loss_max_percent:g} % allowed"
        )

    if meets(ways.of(testbed.guests.index(guest))):
        return
    far = Far(guest, guest.address)
    trial = partial(udp, testbed.host, far, floors.udp_offered_mbit_s, reverse=ways.reverse)
    alone = Series(trial, TRIALS, compared=False)
    sampling.take(alone)
    assert sampling.holds(alone, meets, missed), missed(alone.samples)


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


def _keep_measurements(evidence: Evidence, tcp: Mapping[str, Series[float]], up: UdpWays) -> None:
    """Keep what a comparison of runs is about: the first guest's rates, under stable names."""
    first = list(tcp.values())
    evidence.measurement("tcp guest → host", "Mbit/s", first[0].samples, "more")
    evidence.measurement("tcp host → guest", "Mbit/s", first[1].samples, "more")
    sent = up.of(0)
    evidence.measurement("udp guest → host", "Mbit/s", [t.mbit_s for t in sent], "more")
    evidence.measurement("udp guest → host loss", "%", [t.lost_percent for t in sent], "less")


def _udp_rate(one: Guest, far: Far, offered_mbit_s: float) -> float:
    return udp(one, far, offered_mbit_s).mbit_s


def _rates(name: str, rates: list[float], *, floor: float) -> str:
    return f"{name}: median {median(rates):.1f} Mbit/s of {len(rates)} trials, floor {floor:g}"


def _is_of_one_model(guests: list[Guest]) -> bool:
    return len({guest.plan.nics[0].model for guest in guests}) == 1


def _plain(sample: Any) -> Any:
    """Return a sample as JSON has it."""
    return [asdict(trial) for trial in sample] if isinstance(sample, list) else sample


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
