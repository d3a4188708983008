# SPDX-License-Identifier: GPL-2.0-or-later
"""Samples of a measurement as a strip plot: a point for each, and a line at their median.

Points stand from top to bottom in the order in which they were taken, so that a drift is seen.
"""

import math
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports.record import Check, Measurement

WIDTH, MARGIN = 360, 14
TOP, BAND, FOOT = 4, 26, 17
# As many as are told in words beside the plot; the record has all.
SAMPLES_TOLD = 24
_TICKS = 4
# An axis that is narrower has no marks that could be told apart.
_NARROWEST = 1e-300
_LARGEST = sys.float_info.max
# From here on all digits stand before the point.
_WHOLE_FROM = 10_000


@dataclass(frozen=True)
class Point:
    """A sample in the plot's own units; a cold one does not count."""

    x: float
    y: float
    cold: bool


@dataclass(frozen=True)
class Tick:
    """A mark on the axis."""

    x: float
    label: str


@dataclass(frozen=True)
class Plot:
    """A strip plot, ready to be drawn in a `WIDTH` × `height` box.

    Attributes:
        name: of the measurement.
        unit: of it.
        median: of the samples that count, as it is told.
        median_x: where its line stands.
        says: the samples in words, for who does not see the plot.
        samples: each as it is told, up to `SAMPLES_TOLD`.
        more: how many samples are not told.
        number: of samples that count.
        cold: how many of the first ones do not: they were taken cold.
    """

    name: str
    unit: str
    median: str
    median_x: float
    points: list[Point]
    ticks: list[Tick]
    says: str
    samples: list[str]
    more: int
    number: int
    cold: int
    width: int = WIDTH
    height: int = TOP + BAND + FOOT
    axis_y: int = TOP + BAND


def plot(measurement: Measurement, axis: Sequence[float] = ()) -> Plot | None:
    """Return the plot of a measurement; None where no sample was taken.

    Args:
        measurement: its samples.
        axis: more values that its axis is to hold, to be compared with others.
    """
    samples = measurement.samples
    if not samples:
        return None
    values = [*samples, *axis]
    marks = ticks(min(values), max(values))
    low, high = marks[0], marks[-1]

    def place(value: float) -> float:
        return round(
            MARGIN + (value / 2 - low / 2) / (high / 2 - low / 2) * (WIDTH - 2 * MARGIN), 1
        )

    step = BAND / (len(samples) + 1)
    cold = measurement.cold or 0
    points = [
        Point(place(sample), round(TOP + step * (number + 1), 1), number < cold)
        for number, sample in enumerate(samples)
    ]
    # A record may say of its only sample that it was cold.
    counting = samples[cold:] or samples
    # Half and half: the sum of two may be larger than any number.
    median = statistics.median_low(counting) / 2 + statistics.median_high(counting) / 2
    told = [figure(sample) for sample in samples[:SAMPLES_TOLD]]
    spread = f", from {figure(min(counting))} to {figure(max(counting))}"
    how_many = "1 sample" if len(counting) == 1 else f"{len(counting)} samples, median"
    apart = ", and a cold first one that does not count" if cold else ""
    return Plot(
        name=measurement.name,
        unit=measurement.unit,
        median=figure(median),
        median_x=place(median),
        points=points,
        ticks=[Tick(place(mark), figure(mark)) for mark in marks],
        says=f"{measurement.name}: {how_many} {figure(median)} {measurement.unit}"
        f"{spread if len(counting) > 1 else ''}{apart}",
        samples=told,
        more=len(samples) - len(told),
        number=len(counting),
        cold=cold,
    )


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers, evenly apart, the first not above `low`, the last not below `high`."""
    if low == high:
        # One value: it stands in the middle of an axis that gives its size away.
        half = abs(low) / 2
        low, high = max(low - half, -_LARGEST), min(low + half, _LARGEST)
        high = high if half else 1.0
    high = max(high, low + _NARROWEST)
    raw = high / _TICKS - low / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= raw)
    first = math.floor(low / step)
    last = math.ceil(high / step)
    # The largest numbers have no round one above them.
    return [max(-_LARGEST, min(number * step, _LARGEST)) for number in range(first, last + 1)]


def figure(value: float) -> str:
    """Return a number with four significant digits, as one writes it: `2338`, `0.52`."""
    return f"{value:.4g}" if abs(value) < _WHOLE_FROM else f"{value:.0f}"


def of(measurements: Sequence[Measurement]) -> list[Plot]:
    """Return the plots of a check's measurements."""
    return [made for each in measurements if (made := plot(each)) is not None]


@dataclass(frozen=True)
class Comparison:
    """One quantity on several topologies, plotted over one axis.

    Attributes:
        name: of the measurement.
        unit: of it.
        rows: topology, the check that measured it, and the plot.
    """

    name: str
    unit: str
    rows: list[tuple[str, Check, Plot]]


def comparisons(checks: Iterable[Check]) -> list[Comparison]:
    """Return what was measured more than once, each over one axis."""
    found: dict[tuple[str, str], list[tuple[Check, Measurement]]] = {}
    for check in checks:
        for measurement in check.measurements:
            found.setdefault((measurement.name, measurement.unit), []).append((check, measurement))
    return [
        Comparison(name, unit, _rows(measured))
        for (name, unit), measured in found.items()
        if len(measured) > 1
    ]


def _rows(measured: Sequence[tuple[Check, Measurement]]) -> list[tuple[str, Check, Plot]]:
    axis = [sample for _, measurement in measured for sample in measurement.samples]
    return [
        (check.topology, check, made)
        for check, measurement in measured
        if (made := plot(measurement, axis)) is not None
    ]
