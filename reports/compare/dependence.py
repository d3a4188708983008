# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the samples of a row depend on one another: the rank correlation of each and the next.

A machine that drifts while they are taken makes them so, and chance does as well. A correlation
that chance gives in one row of a hundred makes a row doubtful: no change is shown by it. Dependence
itself is shown where the correlation is beyond chance in all rows of a comparison (Bonferroni), or
as high as so few values can make it.
"""

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

# Of fewer values the correlation from one to the next has no meaning.
ROW_MIN = 6
# Without any dependence it is normal about -1/n with a deviation of 1/sqrt(n) or a little less; so
# far above it one row in a hundred would be by chance (NIST/SEMATECH handbook, 1.3.5.12).
ROW_DEVIATIONS = 2.33
# Orders that are drawn for the tail, where the normal distribution is far off for few samples. A
# hundred quantities in two runs share a level of 5 %: ten of these orders for each row.
ORDERS = 40000
# Of more values than that the normal distribution is near enough, and the orders would take memory.
ORDERS_UP_TO = 80
SEED = 20260301
# Equal correlations differ by rounding errors.
ROUNDING = 1e-9


def doubtful_correlation(values: Sequence[float]) -> float | None:
    """Return the correlation of each value and the next; None: chance gives one as high often."""
    if len(values) < ROW_MIN or len(set(values[:-1])) == 1 or len(set(values[1:])) == 1:
        return None
    found = float(stats.spearmanr(values[:-1], values[1:]).statistic)
    return found if found + 1 / len(values) > ROW_DEVIATIONS / len(values) ** 0.5 else None


def chance(correlation: float, number: int) -> float:
    """Return how often independent values, so many of them, have a correlation at least as high."""
    if number > ORDERS_UP_TO:
        return float(stats.norm.sf((correlation + 1 / number) * number**0.5))
    reached = int((_correlations(number) >= correlation - ROUNDING).sum())
    return (reached + 1) / (ORDERS + 1)


def least_chance(number: int) -> float:
    """Return the least that `chance` gives of so many values: no row of them is plainer."""
    return chance(1.0, number)


@functools.lru_cache(maxsize=64)
def _correlations(number: int) -> NDArray[np.float64]:
    """Return the correlation in each of many orders of so many different values."""
    rng = np.random.default_rng(SEED)
    rows = rng.permuted(np.tile(np.arange(number), (ORDERS, 1)), axis=1)
    first, second = (stats.rankdata(part, axis=1) for part in (rows[:, :-1], rows[:, 1:]))
    first -= first.mean(axis=1, keepdims=True)
    second -= second.mean(axis=1, keepdims=True)
    spread = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.asarray((first * second).sum(axis=1) / spread)
