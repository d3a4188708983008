# SPDX-License-Identifier: GPL-2.0-or-later
"""pytest's own options behind `--`: their values, and what they only list."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.pytest_command import with_paths
from launcher.pytest_options import TAKE_A_VALUE

ROOT = Path(__file__).resolve().parent.parent
SUITES = ROOT / "suites"
SUITE = "suites/test_virtual_network.py"


def test_options_that_take_a_value_are_those_of_the_pytest_in_the_lock(
    pytestconfig: pytest.Config,
) -> None:
    # The parser is no public part of pytest; there is no other list that is whole.
    actions = pytestconfig._parser.optparser._actions
    # An option with an optional value ("?") takes the next word only if that is no option.
    real = {name for each in actions if each.nargs is None for name in each.option_strings}
    # Of the cache, which neither a run nor the tests have.
    real -= {"--lfnf", "--last-failed-no-failures"}
    assert real == TAKE_A_VALUE


@pytest.mark.parametrize("words", [["--deselect", f"{SUITE}::x"], [f"--deselect={SUITE}::x"]])
@pytest.mark.parametrize("rest", [[], ["-x"], ["suites/test_nat.py"]])
def test_an_options_value_stays_with_it(words: list[str], rest: list[str]) -> None:
    options, paths = with_paths([*words, *rest], SUITES)
    assert options == [*words, *(word for word in rest if word.startswith("-"))]
    assert paths == [str(SUITES / "test_nat.py") if "suites/test_nat.py" in rest else str(SUITES)]


def listed(here: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(ROOT / "plumbline"), "run", "--topology", "isolated", *words]
    return subprocess.run(
        argv, cwd=here, env=os.environ, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.host
def test_deselect_works_in_both_forms(tmp_path: Path) -> None:
    listing = ("--collect-only", "-q")
    whole = listed(tmp_path, "--", *listing)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    one = next(line for line in whole.stdout.splitlines() if line.startswith(SUITE))
    for words in (["--deselect", one], [f"--deselect={one}"]):
        less = listed(tmp_path, "--", *words, *listing)
        assert less.returncode == 0, less.stdout + less.stderr
        gone = set(whole.stdout.splitlines()) - set(less.stdout.splitlines())
        assert one in gone
        assert not [line for line in gone if "::" in line and line != one]


@pytest.mark.host
@pytest.mark.parametrize("option", ["--collect-only", "--markers", "--fixtures", "--help"])
@pytest.mark.parametrize("given", [(), ("--output", "out"), ("--workers", "2")])
def test_listing_leaves_nothing_behind(tmp_path: Path, option: str, given: tuple[str, ...]) -> None:
    done = listed(tmp_path, *given, "--", option)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.host
def test_a_listing_refuses_wrong_names_as_a_run_does(tmp_path: Path) -> None:
    done = listed(tmp_path, "--claim", "BR-01", "--", "--collect-only")
    assert done.returncode == 4
    assert "it is about bridged" in done.stderr
