# SPDX-License-Identifier: GPL-2.0-or-later
"""Many tests at once: the chance of one false alarm or more in all of them is the level.

Holm's method (Scandinavian Journal of Statistics 6, 1979, 65-70) keeps the level however the tests
depend on one another. Since one alarm ends in an exit code of 1, that chance has to be kept, and
not the share of false ones among many. A test with too few samples to reach its share of the level
cannot alarm, so it takes no share from the others (Tarone, Biometrics 46, 1990, 515-522): the
number of samples is independent of the direction of their difference.
"""

import bisect
from collections.abc import Mapping, Sequence
from typing import TypeVar

Key = TypeVar("Key")


def testable(least: Mapping[Key, float], level: float) -> list[Key]:
    """Return the tests that can reach their share of the level at all.

    Args:
        least: the smallest p that each test can give with its samples.
        level: of all together.
    """
    # The smallest number of shares that is not below the number of tests that then reach theirs.
    enough = bisect.bisect_left(
        range(1, len(least) + 1),
        True,
        key=lambda shares: len(_reaching(least, level / shares)) <= shares,
    )
    return _reaching(least, level / (enough + 1))


def _reaching(least: Mapping[Key, float], share: float) -> list[Key]:
    return [key for key, p in least.items() if p <= share]


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values after Holm's correction, in the same order; to be held against the level."""
    order = sorted(range(len(p)), key=p.__getitem__)
    adjusted = [0.0] * len(p)
    reached = 0.0
    for place, index in enumerate(order):
        reached = max(reached, min(1.0, (len(p) - place) * p[index]))
        adjusted[index] = reached
    return adjusted
