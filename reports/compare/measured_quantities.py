# SPDX-License-Identifier: GPL-2.0-or-later
"""What a record measured, as it is judged: which way is better, and one value for each trial."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from reports.compare.comparison import Samples
from reports.compare.dependence import doubtful_correlation
from reports.compare.estimates import median_interval
from reports.record import Measurement, RecordError, RunRecord
from reports.warmup import Better, cold_ones

Key = tuple[str, str, str]
"""Topology, check and name of a quantity."""
PERCENT = "%"


@dataclass(frozen=True)
class Measured:
    """A quantity of one record.

    Attributes:
        unit: of its samples.
        better: which way is better.
        raw: all samples, in the order they were taken.
        cold: how many of the first do not count.
        values: the judged values: one for each trial.
        in_a_row: the correlation of the ranks of each value and the next, where it is so high that
            chance gives it in one row of a hundred; else None.
    """

    unit: str
    better: Better | None
    raw: list[float]
    cold: int
    values: list[float]
    in_a_row: float | None

    def samples(self) -> Samples:
        """Return them with their median and what encloses it."""
        # Of values that may depend on one another it would be too narrow.
        interval = None if self.in_a_row else median_interval(self.values)
        return Samples(
            raw=self.raw,
            cold=self.cold,
            values=self.values,
            median=median(self.values),
            interval=interval,
        )


def measured(record: RunRecord) -> dict[Key, Measured]:
    """Return every quantity of a record that has a sample, in its order."""
    return {
        (check.topology, check.id, measurement.name): found
        for check in record.checks
        for measurement in check.measurements
        if (found := read(measurement)) is not None
    }


def titles(keys: Iterable[Key]) -> dict[Key, str]:
    """Return what each quantity is called: with its check, where a topology has the name twice."""
    known = list(keys)
    names = Counter((topology, name) for topology, _, name in known)
    return {
        (topology, check, name): name
        if names[topology, name] == 1
        else f"{name} ({check.partition('[')[0]})"
        for topology, check, name in known
    }


def direction(measurement: Measurement) -> Better | None:
    """Return which way is better: as recorded, or for a record from before that was, by its name.

    "with the limit" and "hello interval" are to be near a figure: neither way is better. The first
    frame of a new NIC has a limit, and too few samples in any run; older records have "less".
    """
    if measurement.name == "first frame of a new NIC":
        return None
    if "better" in measurement.model_fields_set:
        return measurement.better
    protocol, _, _ = measurement.name.partition(" ")
    if measurement.name.endswith(" loss") or measurement.name.startswith("round trip "):
        return "less"
    return "more" if protocol in ("tcp", "udp") and measurement.unit == "Mbit/s" else None


def read(measurement: Measurement) -> Measured | None:
    """Return a quantity as it is judged; None: it has no sample, or none but cold ones.

    Raises:
        RecordError: trials and samples do not fit together.
    """
    if not measurement.samples:
        return None
    better = direction(measurement)
    known = "cold" in measurement.model_fields_set
    cold = (measurement.cold if known else cold_ones(measurement.samples, better)) or 0
    values = trial_values(measurement, cold)
    if not values:
        return None
    return Measured(
        unit=measurement.unit,
        better=better,
        raw=measurement.samples,
        cold=cold,
        values=values,
        in_a_row=doubtful_correlation(values),
    )


def trial_values(measurement: Measurement, cold: int) -> list[float]:
    """Return one value for each trial: the median of its samples, but for cold ones.

    Samples of one trial share a moment of the machine: as independent samples they would count
    for too much.

    Raises:
        RecordError: trials and samples do not fit together.
    """
    lengths = measurement.trials or [1] * len(measurement.samples)
    if sum(lengths) != len(measurement.samples):
        raise RecordError(
            f"measurement {measurement.name!r}: its trials have {sum(lengths)} samples, and there "
            f"are {len(measurement.samples)}; expected a record as this version writes it"
        )
    begins = [sum(lengths[:number]) for number in range(len(lengths))]
    trials = [
        measurement.samples[max(begin, cold) : begin + length]
        for begin, length in zip(begins, lengths, strict=True)
    ]
    return [median(trial) for trial in trials if trial]
