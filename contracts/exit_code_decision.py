# SPDX-License-Identifier: GPL-2.0-or-later
"""Which exit code a run ends with, by the verdicts of its checks and the outcomes of its faults."""

from collections.abc import Collection

from contracts.exit_codes import (
    EXIT_CONFORMS,
    EXIT_MISSING_CAPABILITY,
    EXIT_UNDECIDED,
    EXIT_VIOLATES,
)
from contracts.verdicts import Verdict


def exit_code_of_run(
    checks: Collection[Verdict], topologies: Collection[Verdict], missing: Collection[str] = ()
) -> int:
    """Return the exit code of a run.

    What is certain comes first: a violation (1) wins over a missing expected capability (11),
    which wins over anything undecided or broken (10). A run in which no check reached `conforms`
    or a waived violation decided nothing, and is 10 as well: an empty run must never look like
    success.

    Args:
        checks: the verdicts of its checks.
        topologies: the verdicts of its topologies: `violates` where the host refused to build one.
        missing: the expected capabilities that the host lacks.
    """
    if Verdict.VIOLATES in {*checks, *topologies}:
        return EXIT_VIOLATES
    if missing:
        return EXIT_MISSING_CAPABILITY
    broken = {Verdict.ERROR, Verdict.INCONCLUSIVE} & {*checks, *topologies}
    if not {Verdict.CONFORMS, Verdict.WAIVED} & {*checks} or broken:
        return EXIT_UNDECIDED
    return EXIT_CONFORMS


def exit_code_of_comparison(
    differing: Collection[Verdict],
    others: Collection[Verdict],
    *,
    compared: int,
    missing: Collection[str] = (),
) -> int:
    """Return the exit code of a run whose verdicts are compared with expected ones.

    Args:
        differing: the verdicts that are not the expected ones.
        others: the verdicts of all for which there is no expectation; they count as in any run.
        compared: how many verdicts were compared.
        missing: the expected capabilities that the host lacks.
    """
    open_ones = {Verdict.ERROR, Verdict.INCONCLUSIVE}
    if {*differing} - open_ones or Verdict.VIOLATES in others:
        return EXIT_VIOLATES
    if missing:
        return EXIT_MISSING_CAPABILITY
    if differing or open_ones & {*others} or not (compared or Verdict.CONFORMS in others):
        return EXIT_UNDECIDED
    return EXIT_CONFORMS


def exit_code_of_proof(outcomes: Collection[str]) -> int:
    """Return the exit code of `prove`, by the outcomes of its faults and harmless changes."""
    if {"got through", "false alarm"} & {*outcomes}:
        return EXIT_VIOLATES
    if not {"caught", "unnoticed"} & {*outcomes} or "not decided" in outcomes:
        return EXIT_UNDECIDED
    return EXIT_CONFORMS
