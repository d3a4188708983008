# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the first sample of a quantity was taken cold.

The first traffic between two ends resolves addresses, fills tables, grows TCP's windows and, under
TCG, has the guest's code translated. What that costs is no property of the network.
"""

from collections.abc import Sequence
from statistics import median
from typing import Literal

Better = Literal["more", "less"]
# With fewer others, the worst of them shows nothing of their spread.
OTHERS_MIN = 4
# How many times as far from the others' median as the worst of them.
FACTOR = 3.0


def cold_ones(samples: Sequence[float], better: Better | None) -> Literal[0, 1] | None:
    """Return how many of the first samples were taken cold, of which only the first can be.

    It was, if it is worse than the others' median by more than three times what the worst of them
    is. That looks at one series alone, never at what it is compared with. (With twice, a series
    without a cold sample lost one so often that false alarms of a comparison rose by a fifth.)

    Args:
        samples: in the order they were taken.
        better: which way is better.

    Returns:
        0 or 1; None where neither way is better, or for fewer than five samples.
    """
    first, others = samples[:1], samples[1:]
    if better is None or len(others) < OTHERS_MIN:
        return None
    sign = 1.0 if better == "more" else -1.0
    middle = median(others)
    worst = max(sign * (middle - sample) for sample in others)
    return 1 if sign * (middle - first[0]) > FACTOR * max(worst, 0.0) else 0
