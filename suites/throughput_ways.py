# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways of throughput between two ends: measured at once or alone, held to what is expected."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Any, TypeVar

from contracts.address_family import AddressFamily
from fixtures.errors import TrialFailed
from fixtures.guest.guest import Guest
from fixtures.plugin.sampling import Sampling, Series
from fixtures.probe.evidence import Evidence
from fixtures.probe.throughput import Far, UdpTrial
from fixtures.testbed.testbed import Testbed
from topologies.throughput import Throughput

# A way with less than this share of another's rate is choked. A limit of 100 kB/s lets a tenth of
# 20 Mbit/s through in the first second, its burst included; healthy ways differ by less than 2.
CHOKED = 0.2
Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Path:
    """A path between a guest and a far end, by one family.

    Attributes:
        guest: the end that runs iperf3's client.
        far: the end that serves.
        by: the family in words, as in ` by IPv6`; "": the first that the guests have.
    """

    guest: Guest
    far: Far
    by: str = ""

    def ways(self, protocol: str) -> Iterator[tuple[str, bool]]:
        """Give the names of its two ways, and whether the way is the one to the guest."""
        one, other = self.guest.name, self.far.runs_on.name
        yield f"{protocol} {one} → {other}{self.by}", False
        yield f"{protocol} {other} → {one}{self.by}", True


@dataclass(frozen=True)
class MeasuredFamilies:
    """The address families of a topology.

    Attributes:
        words: those of which every guest has an address, each with a path's words for it. The first
            is there in any case: what it lacks is the check's reason.
        left: each other one, with the reason.
    """

    words: Mapping[AddressFamily, str]
    left: Mapping[AddressFamily, str]


def measured_families(testbed: Testbed) -> MeasuredFamilies:
    """Return the families of a topology that can be measured."""
    first = testbed.topology.first_family
    words, left = {first: ""}, {}
    for family in testbed.topology.families:
        without = [guest.name for guest in testbed.guests if family in guest.without]
        if family is first:
            continue
        if without:
            left[family] = f"{', '.join(without)} without an address"
        else:
            words[family] = f" by {family}"
    return MeasuredFamilies(words, left)


def left_in_words(left: Mapping[AddressFamily, str]) -> str:
    """Return the end of a reason: the families that were not measured."""
    return "".join(f"; not measured by {family}: {why}" for family, why in left.items())


def take_alone(series: Series[Any], sampling: Sampling) -> None:
    """Measure a way anew.

    Beside the others it was short of CPU time, or of the path: alone it is the path.
    """
    series.samples, series.loads = [], []
    sampling.take(series)


def take_at_once(
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
    try:
        sampling.take(together)
    except TrialFailed:
        # Which of the paths failed, and whether it does so alone, is not known yet.
        for way in ways:
            take_alone(way, sampling)
        return
    for number, way in enumerate(ways):
        way.samples = [of(sample[number // 2][number % 2]) for sample in together.samples]
        way.loads = list(together.loads)


def is_far_from_both(floors: Throughput, trial: UdpTrial) -> bool:
    """Whether a way is far above the UDP floor and far below the limit of losses."""
    return (
        trial.mbit_s >= 2 * floors.guest_host_udp_mbit_s
        and trial.lost_percent <= floors.udp_loss_max_percent / 2
    )


def require_udp(
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
            take_alone(series, sampling)
        assert sampling.holds(series, meets, missed), missed(series.samples)


def require_carried(
    measured: Mapping[str, Series[float]],
    sampling: Sampling,
    *,
    alike: bool,
    were_at_once: bool = False,
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

        if were_at_once and not meets(series.samples):
            take_alone(series, sampling)
        assert sampling.holds(series, meets, missed), missed(series.samples)


def require_floor(
    measured: Mapping[str, Series[float]],
    sampling: Sampling,
    floor: float | None,
    *,
    were_at_once: bool = False,
) -> None:
    """Assert that each rate is at or above a floor, if there is one."""
    if floor is None:
        return
    for name, series in measured.items():
        words = partial(_rates, name, floor=floor)
        if were_at_once and not series.ends_early:
            take_alone(series, sampling)
        assert sampling.holds(series, lambda rates: median(rates) >= floor, words), words(
            series.samples
        )


def _rates(name: str, rates: list[float], *, floor: float) -> str:
    return f"{name}: median {median(rates):.1f} Mbit/s of {len(rates)} trials, floor {floor:g}"


def rates_in_words(measured: Mapping[str, Series[Any]]) -> str:
    """Return the median rate of each way in words."""
    return "; ".join(
        f"{name} {median(map(_rate, each.samples)):.0f}" for name, each in measured.items()
    )


def _rate(sample: float | UdpTrial) -> float:
    return sample.mbit_s if isinstance(sample, UdpTrial) else sample


def _plain(sample: Any) -> Any:
    """Return a sample as JSON has it."""
    if isinstance(sample, UdpTrial):
        return asdict(sample)
    return [_plain(part) for part in sample] if isinstance(sample, list | tuple) else sample


@contextlib.contextmanager
def kept(evidence: Evidence, measured: Mapping[str, Series[Any]]) -> Iterator[None]:
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
