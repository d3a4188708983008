# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things stand in the drawings of pages: numbers only, the templates draw them."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.compare.model import Quantity, Samples
from reports.compare.trend import QuantityHistory
from reports.compare.wording import figure

# In the units of the drawing, which the page scales.
WIDTH, ROW, MARGIN = 320.0, 26.0, 10.0
TREND_WIDTH, TREND_HEIGHT, TREND_MARGIN = 340.0, 120.0, 12.0
# Beside the drawing of a trend, for the ends of its scale.
LABELS = 44.0


@dataclass(frozen=True)
class Row:
    """The samples of one run on a line.

    Attributes:
        when: before or after.
        y: the middle of the line.
        dots: where the values are that count.
        cold: where those are that do not.
        median: where it is.
        interval: where what encloses it begins and ends.
    """

    when: str
    y: float
    dots: list[float]
    cold: list[float]
    median: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Strip:
    """The samples of a quantity before and after, on one scale from the least to the largest."""

    rows: list[Row]
    low: str
    high: str
    told: str


@dataclass(frozen=True)
class Mark:
    """A run in the drawing of a trend: where its median is, and what its values reach."""

    x: float
    y: float
    top: float
    bottom: float
    told: str


@dataclass(frozen=True)
class Line:
    """A quantity over the runs.

    Attributes:
        quantity: the quantity.
        marks: one for each run in which it was measured.
        parts: lines that join neighbours, as points of an SVG polyline.
        low, high: the ends of its scale.
    """

    quantity: QuantityHistory
    marks: list[Mark]
    parts: list[str]
    low: str
    high: str


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    begin: float
    end: float
    # Where everything is that is equal.
    where: float = 0.5

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else self.where
        return round(self.begin + share * (self.end - self.begin), 1)


def strip(quantity: Quantity) -> Strip:
    """Return the drawing of a quantity's samples."""
    both = (quantity.before, quantity.after)
    shown = [value for samples in both for value in _shown(samples)]
    scale = _Scale(min(shown), max(shown), MARGIN, WIDTH - MARGIN)
    rows = [
        _row(when, ROW * (number + 0.5), samples, scale)
        for number, (when, samples) in enumerate(zip(("before", "after"), both, strict=True))
    ]
    told = "; ".join(
        f"{row.when}: median {figure(samples.median)} {quantity.unit} of {len(samples.values)}"
        for row, samples in zip(rows, both, strict=True)
    )
    return Strip(rows, figure(scale.low), figure(scale.high), told)


def _row(when: str, y: float, samples: Samples, scale: _Scale) -> Row:
    interval = samples.interval
    return Row(
        when=when,
        y=y,
        dots=[scale.at(value) for value in samples.values],
        cold=[scale.at(value) for value in _cold(samples)],
        median=scale.at(samples.median),
        interval=None if interval is None else (scale.at(interval[0]), scale.at(interval[1])),
    )


def _shown(samples: Samples) -> list[float]:
    return [*samples.values, *_cold(samples)]


def _cold(samples: Samples) -> Sequence[float]:
    """Return what was left out, where a trial is one sample; a cold echo is not a trial's value."""
    whole = len(samples.values) + samples.cold == len(samples.raw)
    return samples.raw[: samples.cold] if whole else []


def line(quantity: QuantityHistory) -> Line:
    """Return the drawing of a quantity over the runs, on a scale from 0."""
    known = [(place, each) for place, each in enumerate(quantity.samples) if each is not None]
    highest = max(max(each.values) for _, each in known)
    lowest = min(0.0, *(min(each.values) for _, each in known))
    vertical = _Scale(lowest, highest, TREND_HEIGHT - TREND_MARGIN, TREND_MARGIN, 0.0)
    across = _Scale(0, max(len(quantity.samples) - 1, 1), LABELS, TREND_WIDTH - TREND_MARGIN)
    marks = {
        place: Mark(
            x=across.at(place),
            y=vertical.at(each.median),
            top=vertical.at(max(each.values)),
            bottom=vertical.at(min(each.values)),
            told=f"run {place + 1}: {figure(each.median)} {quantity.unit}, "
            f"{figure(min(each.values))} to {figure(max(each.values))} in {len(each.values)}",
        )
        for place, each in known
    }
    parts = [
        f"{marks[place].x},{marks[place].y} {marks[place + 1].x},{marks[place + 1].y}"
        for place in marks
        if place + 1 in marks
    ]
    return Line(quantity, list(marks.values()), parts, figure(lowest), figure(highest))
