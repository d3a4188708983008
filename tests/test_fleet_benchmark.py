# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark of a fleet's page ends with 1 where the page opens too slowly."""

from collections.abc import Sequence

import pytest

from benchmarks.fleet import USABLE_S, exit_code


@pytest.mark.parametrize(
    ("taken_s", "expected"),
    [([0.4, USABLE_S, 9.0], 0), ([0.4, USABLE_S + 0.1, 9.0], 1), ([USABLE_S + 0.1], 1)],
)
def test_the_median_of_the_rounds_decides(
    taken_s: Sequence[float], expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(taken_s) == expected
    assert capsys.readouterr().err.startswith("the page was usable after 3.1 s") is bool(expected)
