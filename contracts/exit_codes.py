# SPDX-License-Identifier: GPL-2.0-or-later
"""The exit codes of the command line, and their wording."""

from contracts.language import gettext_noop

EXIT_CONFORMS = 0
EXIT_VIOLATES = 1
EXIT_USAGE = 4
EXIT_UNDECIDED = 10
EXIT_MISSING_CAPABILITY = 11
EXIT_INTERRUPTED = 130

EXIT_MEANINGS = {
    EXIT_CONFORMS: gettext_noop("every decided claim conforms"),
    EXIT_VIOLATES: gettext_noop("at least one claim is violated"),
    EXIT_USAGE: gettext_noop("usage or data error"),
    EXIT_UNDECIDED: gettext_noop("nothing is violated, but not everything was decided"),
    EXIT_MISSING_CAPABILITY: gettext_noop("an expected capability is missing"),
    EXIT_INTERRUPTED: gettext_noop("interrupted"),
}
WAIVED_MEANING = gettext_noop("every decided claim conforms, or its violation is waived")
"""Of 0, where a violation is waived."""
PROVE_EXIT_MEANINGS = {
    EXIT_CONFORMS: gettext_noop(
        "every fault that this host can show was caught, and nothing else turned red"
    ),
    EXIT_VIOLATES: gettext_noop("a fault got through, or something turned red without reason"),
    EXIT_UNDECIDED: gettext_noop("not every fault was decided"),
}
EXPECTED_EXIT_MEANINGS = {
    EXIT_CONFORMS: gettext_noop("every compared verdict is the expected one"),
    EXIT_VIOLATES: gettext_noop(
        "a verdict is not the expected one, or violates without being expected"
    ),
    EXIT_UNDECIDED: gettext_noop("no verdict is wrong, but not everything was decided as expected"),
}
