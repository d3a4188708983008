# SPDX-License-Identifier: GPL-2.0-or-later
"""Pings that are sent again: how many, how slowly, and which of them count."""

from collections.abc import Sequence

import pytest

from fixtures.host.command import Completed
from fixtures.probe.reach import End, ping


class Lossy:
    """A machine whose ping(8) prints what is given, one after the other."""

    name = "guest1"

    def __init__(self, *answered: int) -> None:
        self._answered = list(answered)
        self.asked: list[tuple[int, str]] = []

    def run(self, argv: Sequence[str], *, deadline_s: float = 0, check: bool = True) -> Completed:
        """Answer as many pings as it is their turn to be."""
        del deadline_s, check
        sent = int(argv[argv.index("-c") + 1])
        self.asked.append((sent, argv[argv.index("-i") + 1]))
        said = f"{sent} packets transmitted, {self._answered.pop(0)} received, time 402ms\n"
        return Completed(self.name, tuple(argv), 0, said, "", 0.4)


@pytest.mark.parametrize(
    ("answered", "asked", "whole"),
    [
        ([3], [(3, "0.2")], True),
        ([0], [(3, "0.2")], False),
        ([2, 10], [(3, "0.2"), (10, "2")], True),
        ([2, 8], [(3, "0.2"), (10, "2")], False),
        ([2, 9], [(3, "0.2"), (10, "2")], False),
    ],
    ids=["all", "none", "one was late", "one in five is lost", "one in ten is lost"],
)
def test_where_some_are_missing_more_are_sent_slowly_and_all_of_these_count(
    answered: list[int], asked: list[tuple[int, str]], whole: bool
) -> None:
    machine = Lossy(*answered)
    answer = ping(End(machine, "192.0.2.2", "probe"), "192.0.2.1")
    assert machine.asked == asked
    assert answer.all_answered == whole
    assert (answer.sent, answer.answered) == (asked[-1][0], answered[-1])
