# SPDX-License-Identifier: GPL-2.0-or-later
"""The exit codes of the command line, their wording, and which one a run ends with."""

from collections.abc import Collection

from contracts.verdicts import Verdict

EXIT_CONFORMS = 0
EXIT_VIOLATES = 1
EXIT_USAGE = 4
EXIT_UNDECIDED = 10
EXIT_MISSING_CAPABILITY = 11
EXIT_INTERRUPTED = 130

EXIT_MEANINGS = {
    EXIT_CONFORMS: "every decided claim conforms",
    EXIT_VIOLATES: "at least one claim is violated",
    EXIT_USAGE: "usage or data error",
    EXIT_UNDECIDED: "nothing is violated, but not everything was decided",
    EXIT_MISSING_CAPABILITY: "an expected capability is missing",
    EXIT_INTERRUPTED: "interrupted",
}
PROVE_EXIT_MEANINGS = {
    EXIT_CONFORMS: "every fault that this host can show was caught, and nothing else turned red",
    EXIT_VIOLATES: "a fault got through, or something turned red without reason",
    EXIT_UNDECIDED: "not every fault was decided",
}


def exit_code_of_run(
    checks: Collection[Verdict], topologies: Collection[Verdict], missing: Collection[str] = ()
) -> int:
    """Return the exit code of a run.

    What is certain comes first: a violation (1) wins over a missing expected capability (11),
    which wins over anything undecided or broken (10). A run in which no check reached `conforms`
    decided nothing, and is 10 as well: an empty run must never look like success.

    Args:
        checks: the verdicts of its checks.
        topologies: the verdicts of its topologies.
        missing: the expected capabilities that the host lacks.
    """
    if Verdict.VIOLATES in checks:
        return EXIT_VIOLATES
    if missing:
        return EXIT_MISSING_CAPABILITY
    broken = {Verdict.ERROR, Verdict.INCONCLUSIVE} & {*checks, *topologies}
    if Verdict.CONFORMS not in checks or broken:
        return EXIT_UNDECIDED
    return EXIT_CONFORMS


def exit_code_of_proof(outcomes: Collection[str]) -> int:
    """Return the exit code of `prove`, by the outcomes of its faults."""
    if {"got through", "false alarm"} & {*outcomes}:
        return EXIT_VIOLATES
    if "caught" not in outcomes or "not decided" in outcomes:
        return EXIT_UNDECIDED
    return EXIT_CONFORMS
