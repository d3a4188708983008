# SPDX-License-Identifier: GPL-2.0-or-later
"""The address families in which guests and an outside machine can be asked about each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.address_family import AddressFamily
from fixtures.testbed.testbed import Testbed


@dataclass(frozen=True)
class FamiliesOutside:
    """The families of a topology.

    Attributes:
        decided: those that a check can decide.
        left: why not, for each other one, in words.
    """

    decided: Sequence[AddressFamily]
    left: Sequence[str]


def families_outside(testbed: Testbed) -> FamiliesOutside:
    """Return the families that the outside and each guest have an address of.

    A network of the run's has all of them; an existing one may lack some, which is no reason to
    leave the others undecided. Where none is left, the first stays: whatever asks for its ends is
    given the reason.
    """
    left = {}
    for family in testbed.topology.families:
        without = [guest.name for guest in testbed.guests if family in guest.without]
        if why := testbed.lacks_outside(family):
            left[family] = f"{family}: {why}"
        elif without:
            left[family] = f"{family}: {', '.join(without)} without an address"
    decided = [each for each in testbed.topology.families if each not in left]
    if not decided:
        return FamiliesOutside(testbed.topology.families[:1], ())
    return FamiliesOutside(decided, [f"not looked at by {why}" for why in left.values()])
