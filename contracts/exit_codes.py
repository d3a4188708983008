# SPDX-License-Identifier: GPL-2.0-or-later
"""The exit codes of the command line, and their wording."""

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
WAIVED_MEANING = "every decided claim conforms, or its violation is waived"
"""Of 0, where a violation is waived."""
PROVE_EXIT_MEANINGS = {
    EXIT_CONFORMS: "every fault that this host can show was caught, and nothing else turned red",
    EXIT_VIOLATES: "a fault got through, or something turned red without reason",
    EXIT_UNDECIDED: "not every fault was decided",
}
EXPECTED_EXIT_MEANINGS = {
    EXIT_CONFORMS: "every compared verdict is the expected one",
    EXIT_VIOLATES: "a verdict is not the expected one, or violates without being expected",
    EXIT_UNDECIDED: "no verdict is wrong, but not everything was decided as expected",
}
