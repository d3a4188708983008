# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether two samples differ: the rank-sum test of Wilcoxon, Mann and Whitney, exact with ties.

It assumes no shape of the distribution, only that without a difference every order of all samples
is as likely as any other. How often each rank sum then comes is counted, by the shift algorithm
(Streitberg and Röhmel, Computational Statistics Quarterly 3, 1986, 27-42): the ranks of equal
samples are their mean, doubled to be whole numbers. SciPy's exact method does not allow for ties,
which losses and whole milliseconds are full of.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

# Beyond so many samples together the count takes long, and the normal approximation is as good.
EXACT_MAX = 80


@dataclass(frozen=True)
class RankTest:
    """The result of a test.

    Attributes:
        p: how likely a difference at least this large is without any, on either side.
        least_p: the smallest p that these samples could have given, in whatever order.
    """

    p: float
    least_p: float


def rank_test(before: Sequence[float], after: Sequence[float]) -> RankTest:
    """Test whether two samples come from one distribution, two-sided.

    Raises:
        ValueError: one of them is empty.
    """
    if not before or not after:
        raise ValueError("expected at least one sample on each side")
    ranks = stats.rankdata([*before, *after])
    if len(set(ranks)) == 1:
        return RankTest(1.0, 1.0)
    if len(ranks) > EXACT_MAX:
        found = stats.mannwhitneyu(before, after, alternative="two-sided", method="asymptotic")
        return RankTest(float(found.pvalue), 0.0)
    doubled = tuple(int(rank) for rank in np.sort(2 * ranks))
    distances, probabilities = _distribution(doubled, len(before))
    seen = abs(2 * ranks[: len(before)].sum() - _expected(doubled, len(before)))
    # Distances are multiples of 1/N: rounding errors are far below half of that.
    reached = distances >= seen - 0.25 / len(ranks)
    furthest = distances[probabilities > 0].max()
    return RankTest(
        min(1.0, float(probabilities[reached].sum())),
        float(probabilities[distances == furthest].sum()),
    )


def least_p(before: int, after: int) -> float:
    """Return the smallest two-sided p that so many samples can give, all of them different.

    It is reached when all of one side are above all of the other: 2 of so many choices.
    """
    return min(1.0, 2 / math.comb(before + after, before))


def samples_needed(level: float) -> int:
    """Return how many samples on each side the test needs to reach a level at all."""
    return next(number for number in itertools.count(1) if least_p(number, number) <= level)


def significant_rows(
    before: NDArray[np.float64], after: NDArray[np.float64], level: float
) -> NDArray[np.bool_]:
    """Return of many pairs of samples, a row each, which differ at a level.

    Equal samples within a row are taken as if they were different, which makes it harder to.
    """
    first, whole = before.shape[1], before.shape[1] + after.shape[1]
    sums = stats.rankdata(np.hstack([before, after]), axis=1)[:, :first].sum(axis=1)
    distances = np.abs(2 * sums - first * (whole + 1))
    if whole > EXACT_MAX:
        spread = 2 * math.sqrt(first * (whole - first) * (whole + 1) / 12)
        return np.asarray(2 * stats.norm.sf(distances / spread) <= level)
    known, probabilities = _distribution(tuple(range(2, 2 * whole + 1, 2)), first)
    critical = [d for d in np.unique(known) if probabilities[known >= d].sum() <= level]
    if not critical or least_p(first, whole - first) > level:
        return np.zeros(len(before), dtype=bool)
    return np.asarray(distances >= critical[0])


@functools.lru_cache(maxsize=256)
def _distribution(
    doubled: tuple[int, ...], chosen: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each distance of a rank sum from the expected one, and its probability."""
    ways = np.zeros((chosen + 1, sum(doubled) + 1))
    ways[0, 0] = 1.0
    for rank in doubled:
        ways[1:, rank:] += ways[:-1, : ways.shape[1] - rank].copy()
    sums = np.arange(ways.shape[1])
    return np.abs(sums - _expected(doubled, chosen)), ways[chosen] / ways[chosen].sum()


def _expected(doubled: tuple[int, ...], chosen: int) -> float:
    return chosen * sum(doubled) / len(doubled)
