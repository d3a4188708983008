# SPDX-License-Identifier: GPL-2.0-or-later
"""A quantity over many runs as a line: numbers only, the template draws them."""

from dataclasses import dataclass

from contracts.language import gettext
from reports.compare.comparison_wording import figure
from reports.compare.trend import QuantityHistory

# In the units of the drawing, which the page scales.
WIDTH, HEIGHT, MARGIN = 340, 120, 12
# Beside the drawing, for the ends of its scale.
LABELS = 44


@dataclass(frozen=True)
class RunMark:
    """A run in the drawing: its median, the range of its values, and a label."""

    x: float
    y: float
    top: float
    bottom: float
    label: str


@dataclass(frozen=True)
class TrendLine:
    """A quantity over the runs.

    Attributes:
        marks: one for each run in which it was measured.
        parts: lines that join neighbours, as points of an SVG polyline.
        low, high: the ends of its scale.
    """

    marks: list[RunMark]
    parts: list[str]
    low: str
    high: str


def line(quantity: QuantityHistory) -> TrendLine:
    """Return the drawing of a quantity over the runs, on a scale from 0."""
    known = [(place, each) for place, each in enumerate(quantity.samples) if each is not None]
    highest = max(max(each.values) for _, each in known)
    lowest = min(0.0, *(min(each.values) for _, each in known))
    step = (WIDTH - MARGIN - LABELS) / max(len(quantity.samples) - 1, 1)

    def height(value: float) -> float:
        share = (value - lowest) / (highest - lowest) if highest > lowest else 0.0
        return round(HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN), 1)

    marks = {
        place: RunMark(
            x=round(LABELS + place * step, 1),
            y=height(each.median),
            top=height(max(each.values)),
            bottom=height(min(each.values)),
            label=gettext("run {run}: {median} {unit}, {least} to {most} in {number}").format(
                run=place + 1,
                median=figure(each.median),
                unit=quantity.unit,
                least=figure(min(each.values)),
                most=figure(max(each.values)),
                number=len(each.values),
            ),
        )
        for place, each in known
    }
    parts = [
        f"{marks[place].x},{marks[place].y} {marks[place + 1].x},{marks[place + 1].y}"
        for place in marks
        if place + 1 in marks
    ]
    return TrendLine(list(marks.values()), parts, figure(lowest), figure(highest))
