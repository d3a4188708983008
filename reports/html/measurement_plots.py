# SPDX-License-Identifier: GPL-2.0-or-later
"""The measurements of a run as strip plots, alone and side by side over one axis."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.language import gettext
from reports.html.strip_plot import Series, StripPlot, figure, strip_plot
from reports.record import Check, Measurement

# As many as are listed beside the plot; the record has all.
SAMPLES_LISTED = 24


@dataclass(frozen=True)
class MeasurementPlot:
    """A measurement with its plot.

    Attributes:
        name: of the measurement.
        unit: of it.
        median: of the samples that count, as text.
        strip: the plot.
        samples: each as text, up to `SAMPLES_LISTED`.
        more: how many samples are not listed.
        number: of samples that count.
        cold: how many of the first ones do not: they were taken cold.
    """

    name: str
    unit: str
    median: str
    strip: StripPlot
    samples: list[str]
    more: int
    number: int
    cold: int


def plot(measurement: Measurement, axis: Sequence[float] = ()) -> MeasurementPlot | None:
    """Return the plot of a measurement; None where no sample was taken.

    Args:
        measurement: its samples.
        axis: more values that its axis is to hold, to be compared with others.
    """
    if not measurement.samples:
        return None
    series = Series(measurement.samples, measurement.cold or 0)
    listed = [figure(sample) for sample in measurement.samples[:SAMPLES_LISTED]]
    return MeasurementPlot(
        name=measurement.name,
        unit=measurement.unit,
        median=figure(series.median),
        strip=strip_plot([series], _says(measurement, series), axis),
        samples=listed,
        more=len(measurement.samples) - len(listed),
        number=len(series.counting),
        cold=series.cold,
    )


def _says(measurement: Measurement, series: Series) -> str:
    counting = series.counting
    sentence = (
        gettext("{name}: {number} samples, median {median}, from {least} to {most}")
        if len(counting) > 1
        else gettext("{name}: {number} sample {median}")
    )
    said = sentence.format(
        name=measurement.name,
        number=len(counting),
        median=f"{figure(series.median)} {measurement.unit}",
        least=figure(min(counting)),
        most=figure(max(counting)),
    )
    return said + gettext(", and a cold first one that does not count") if series.cold else said


def plots_of(measurements: Sequence[Measurement]) -> list[MeasurementPlot]:
    """Return the plots of a check's measurements."""
    return [made for each in measurements if (made := plot(each)) is not None]


@dataclass(frozen=True)
class SideBySide:
    """One quantity on several topologies, plotted over one axis.

    Attributes:
        name: of the measurement.
        unit: of it.
        rows: topology, the check that measured it, and the plot.
    """

    name: str
    unit: str
    rows: list[tuple[str, Check, MeasurementPlot]]


def side_by_side(checks: Iterable[Check]) -> list[SideBySide]:
    """Return what was measured more than once, each over one axis."""
    found: dict[tuple[str, str], list[tuple[Check, Measurement]]] = {}
    for check in checks:
        for measurement in check.measurements:
            found.setdefault((measurement.name, measurement.unit), []).append((check, measurement))
    return [
        SideBySide(name, unit, _rows(measured))
        for (name, unit), measured in found.items()
        if len(measured) > 1
    ]


def _rows(
    measured: Sequence[tuple[Check, Measurement]],
) -> list[tuple[str, Check, MeasurementPlot]]:
    axis = [sample for _, measurement in measured for sample in measurement.samples]
    return [
        (check.topology, check, made)
        for check, measurement in measured
        if (made := plot(measurement, axis)) is not None
    ]
