# SPDX-License-Identifier: GPL-2.0-or-later
"""How large: medians and their change with intervals, and what change would have been seen.

Intervals are those of the percentile bootstrap. The bias-corrected and accelerated one takes its
acceleration from medians that leave one sample out, and of few samples these have two values or
one: it then has no meaning or no value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reports.compare.rank_test import significant_rows
from reports.warmup import Better

CONFIDENCE = 0.95
RESAMPLES = 4999
# One number for all: the same records give the same pages.
SEED = 20260301
# With five samples even from the least to the greatest the median is enclosed with 93.75 % only,
# 1 - 2 * 0.5 ** 5; no resampling of them makes that 95.
INTERVAL_SAMPLES_MIN = 6
TRIALS = 400
# The largest change that is looked for: to a hundredth, or to a hundred times.
FACTOR_MAX = 100.0
POINTS_MAX = 100.0
STEPS = 14

Interval = tuple[float, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Detection:
    """When a change is called one.

    Attributes:
        level: the test's, after the correction.
        power: how surely it is to be seen.
        relevant: the least change that counts, as a share or in points.
    """

    level: float
    power: float
    relevant: float


def median_interval(samples: Sequence[float]) -> Interval | None:
    """Return an interval of 95 % for the median; None for fewer than six samples."""
    if len(samples) < INTERVAL_SAMPLES_MIN:
        return None
    return _resampled([samples], np.median)


def change(before: Sequence[float], after: Sequence[float], *, in_points: bool) -> float | None:
    """Return the change of the median: a share of its old value, or points; None: that was 0."""
    was, now = float(np.median(before)), float(np.median(after))
    if in_points:
        return now - was
    return (now - was) / abs(was) if was else None


def change_interval(
    before: Sequence[float], after: Sequence[float], *, in_points: bool
) -> Interval | None:
    """Return an interval of 95 % for `change`; None for fewer than six samples on a side."""
    if min(len(before), len(after)) < INTERVAL_SAMPLES_MIN:
        return None
    if not in_points and min(*before, *after) <= 0:
        return None

    def gone(was: Floats, now: Floats, axis: int) -> Floats:
        earlier, later = np.median(was, axis=axis), np.median(now, axis=axis)
        return np.asarray(later - earlier if in_points else later / earlier - 1)

    return _resampled([before, after], gone)


def _resampled(data: Sequence[Sequence[float]], statistic: object) -> Interval | None:
    if all(len(set(samples)) == 1 for samples in data):
        # Nothing varies: scipy would warn of a degenerate distribution.
        return None
    found = stats.bootstrap(
        [np.asarray(samples) for samples in data],
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(found.low), float(found.high)


def visible_change(
    before: Sequence[float],
    after: Sequence[float],
    better: Better,
    detection: Detection,
    *,
    in_points: bool,
) -> float | None:
    """Return the smallest change for the worse that samples like these would have shown.

    Samples of both sides, each about its own median, are drawn anew a few hundred times, one side
    is made worse, and the test is made: the smallest change that it sees as surely as `detection`
    asks. With few samples this is rough, as they show only a part of the spread.

    Returns:
        A share of the median or points, with its sign; None if no change would be seen.
    """
    pool = np.concatenate([_about_median(side, in_points=in_points) for side in (before, after)])
    rng = np.random.default_rng(SEED)
    was = rng.choice(pool, (TRIALS, len(before)))
    now = rng.choice(pool, (TRIALS, len(after)))
    largest = POINTS_MAX if in_points else FACTOR_MAX

    def seen(step: float) -> bool:
        worse = _worse(now, step, better, in_points=in_points)
        return _share_seen(was, worse, detection, in_points=in_points) >= detection.power

    low, high = 0.0, 1.0
    if not seen(high * largest if in_points else largest):
        return None
    for _ in range(STEPS):
        middle = (low + high) / 2
        step = middle * largest if in_points else largest**middle
        low, high = (low, middle) if seen(step) else (middle, high)
    if in_points:
        return high * largest if better == "less" else -high * largest
    factor: float = largest**high
    return factor - 1 if better == "less" else 1 / factor - 1


def _about_median(samples: Sequence[float], *, in_points: bool) -> Floats:
    values: Floats = np.asarray(samples, dtype=float)
    middle = float(np.median(values))
    return values - middle if in_points else values / middle


def _worse(samples: Floats, step: float, better: Better, *, in_points: bool) -> Floats:
    if in_points:
        return samples + step if better == "less" else samples - step
    return samples * step if better == "less" else samples / step


def _share_seen(was: Floats, now: Floats, detection: Detection, *, in_points: bool) -> float:
    moved = np.median(now, axis=1) - np.median(was, axis=1)
    size = np.abs(moved if in_points else moved / np.median(was, axis=1))
    found = significant_rows(was, now, detection.level) & (size >= detection.relevant)
    return float(found.mean())
