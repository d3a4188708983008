# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline test`: the harness's own tests; the linters are among them (tests/test_tree.py)."""

import os
import subprocess
from collections.abc import Sequence

from contracts.exit_codes import EXIT_USAGE, EXIT_VIOLATES
from launcher import packages
from launcher.arguments import Parser, split_at_dashes
from launcher.pytest_command import ROOT, WORKERS_MAX, cores, with_paths

TESTS = ROOT / "tests"
# pytest's own exit codes (pytest documentation, "Exit codes").
PYTEST_USAGE = 4
# The markers of pyproject.toml: a test's needs beyond the virtual environment.
QUICK = "not host and not staged and not lab and not browser and not slow"

EXAMPLES = (
    ("sudo ./plumbline test", "all tests, ruff and mypy"),
    ("./plumbline test --quick", "linters and unit tests: no root, about two minutes"),
    ("sudo ./plumbline test -- tests/test_tree.py", "the linters and the rules of the tree"),
    ("sudo ./plumbline test -- -k doctor -x", "words after -- go to pytest"),
)


def parser() -> Parser:
    """Return the parser of `test`."""
    made = Parser("test", "Run the harness's own tests and linters.", EXAMPLES)
    made.add_argument(
        "--quick",
        action="store_true",
        help="only the linters and the fast tests that need no root, no namespace, no guest and no "
        "browser; sets up the virtual environment alone",
    )
    return made


def main(argv: Sequence[str]) -> int:
    """Set up, run the tests, and return 0 when all passed and at least one ran."""
    own, words = split_at_dashes(argv)
    quick = parser().parse(own).quick
    # Imported here: `test --help` needs none of it.
    from launcher import setup

    if quick:
        interpreter = setup.ensure_environment(tests=True, install_packages=False)
    else:
        setup.require_root("test")
        interpreter = setup.ensure(tests=True)
    return exit_code(_run([str(interpreter), *pytest_argv(words, quick=quick)]))


def pytest_argv(words: Sequence[str], *, quick: bool = False) -> list[str]:
    """Return the interpreter's arguments for the tests."""
    options, paths = with_paths(words, TESTS)
    argv = ["-P", "-m", "pytest", "-p", "no:cacheprovider"]
    argv += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), *paths]
    workers = min(cores(), WORKERS_MAX)
    if workers > 1:
        argv += ["-n", str(workers)]
    if quick:
        argv += ["-m", QUICK]
    return argv + options


def exit_code(pytest_status: int) -> int:
    """Return the contract's exit code for pytest's: a run without a test is a failure."""
    # pytest's 5 (no test ran) is a failure like 1: nothing was shown.
    return {0: 0, PYTEST_USAGE: EXIT_USAGE}.get(pytest_status, EXIT_VIOLATES)


def _run(argv: Sequence[str]) -> int:
    environment = os.environ | {"PATH": packages.search_path()}
    with subprocess.Popen(argv, env=environment) as pytest:
        try:
            return pytest.wait()
        except KeyboardInterrupt:
            # The terminal's Ctrl-C went to pytest as well: let it take its sandboxes down.
            pytest.wait()
            raise
