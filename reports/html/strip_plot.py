# SPDX-License-Identifier: GPL-2.0-or-later
"""Samples as a strip plot: a point for each, a line at their median, a row for each series.

Points stand from top to bottom in the order in which they were taken, so that a drift is seen.
"""

import math
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, MARGIN = 360, 14
TOP, BAND, FOOT = 4, 26, 17
_TICKS = 4
# The marks of a narrower axis could not be distinguished.
_NARROWEST = 1e-300
_LARGEST = sys.float_info.max
# From here on there are no digits behind the point.
_WHOLE_FROM = 10_000


@dataclass(frozen=True)
class Series:
    """Samples in the order in which they were taken.

    Attributes:
        samples: at least one.
        cold: how many of the first do not count.
        interval: the interval of their median, if it is to be shown.
    """

    samples: Sequence[float]
    cold: int = 0
    interval: tuple[float, float] | None = None

    @property
    def counting(self) -> Sequence[float]:
        """Those that count; a record's only sample may be marked as cold."""
        return self.samples[self.cold :] or self.samples

    @property
    def median(self) -> float:
        """Of those that count; half and half, as the sum of two may be larger than any number."""
        return statistics.median_low(self.counting) / 2 + statistics.median_high(self.counting) / 2


@dataclass(frozen=True)
class SamplePoint:
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
class StripRow:
    """A series between `top` and `bottom`.

    Attributes:
        median_x: the place of its median.
        interval_x: where what encloses the median begins and ends.
    """

    top: float
    bottom: float
    points: list[SamplePoint]
    median_x: float
    interval_x: tuple[float, float] | None

    @property
    def middle(self) -> float:
        """Half-way down."""
        return (self.top + self.bottom) / 2


@dataclass(frozen=True)
class StripPlot:
    """A plot in a `width` × `height` box; `says` is its text."""

    rows: list[StripRow]
    ticks: list[Tick]
    says: str
    axis_y: int
    width: int = WIDTH

    @property
    def height(self) -> int:
        """From the first row to below the axis."""
        return self.axis_y + FOOT


def strip_plot(rows: Sequence[Series], says: str, axis: Sequence[float] = ()) -> StripPlot:
    """Place series over one axis.

    Args:
        rows: from top to bottom.
        says: the text of the plot.
        axis: more values that the axis is to hold, to be compared with others.
    """
    values = [*axis, *(sample for row in rows for sample in row.samples)]
    marks = ticks(min(values), max(values))
    low, high = marks[0], marks[-1]

    def place(value: float) -> float:
        share = (value / 2 - low / 2) / (high / 2 - low / 2)
        return round(MARGIN + share * (WIDTH - 2 * MARGIN), 1)

    return StripPlot(
        rows=[_row(row, TOP + BAND * number, place) for number, row in enumerate(rows)],
        ticks=[Tick(place(mark), figure(mark)) for mark in marks],
        says=says,
        axis_y=TOP + BAND * len(rows),
    )


def _row(series: Series, top: float, place: Callable[[float], float]) -> StripRow:
    step = BAND / (len(series.samples) + 1)
    points = [
        SamplePoint(place(sample), round(top + step * (number + 1), 1), number < series.cold)
        for number, sample in enumerate(series.samples)
    ]
    ends = series.interval
    interval_x = None if ends is None else (place(ends[0]), place(ends[1]))
    return StripRow(top, top + BAND, points, place(series.median), interval_x)


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers, evenly apart, the first not above `low`, the last not below `high`."""
    if low == high:
        # One value: it is in the middle of an axis that shows its size.
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
