# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of the system that linters of ci/ are; ci/packages has them for the stage `test`."""

from launcher import packages


def needs(program: str) -> str:
    """The path of a program. A linter that is not there has shown nothing: the test fails."""
    found = packages.find(program)
    assert found is not None, f"this machine has no {program}; sudo ci/setup --for test adds it"
    return found
