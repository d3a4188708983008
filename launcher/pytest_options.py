# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of pytest that take the next word as their value.

The launcher distinguishes a path from an option's value before an environment with pytest exists,
so it needs this list; `tests/test_launcher_pytest.py` compares this with the pytest of the lock.
"""

from contracts.run_options import RUN_OPTIONS

_PYTESTS = """
    -c -k -m -o -p -r -W --assert --basetemp --capture --code-highlight --color --confcutdir
    --config-file --deselect --doctest-glob --doctest-report --durations --durations-min --ignore
    --ignore-glob --import-mode --junit-prefix --junit-xml --junitprefix --junitxml
    --log-auto-indent --log-cli-date-format --log-cli-format --log-cli-level --log-date-format
    --log-disable --log-file --log-file-date-format --log-file-format --log-file-level
    --log-file-mode --log-format --log-level --max-warnings --maxfail --override-ini --pastebin
    --pdbcls --pythonwarnings --report-chars --rootdir --show-capture --tb --verbosity
"""
_XDISTS = """
    -n --dist --max-worker-restart --maxprocesses --maxschedchunk --numprocesses --px --rsyncdir
    --rsyncignore --testrunuid --tx
"""
_ALLURES = """
    --allure-epics --allure-features --allure-ids --allure-label --allure-link-pattern
    --allure-severities --allure-stories --alluredir --inversion
"""
# Of the harness's own tests (tests/conftest.py).
_TESTS = {"--networks", "--whole-runs"}
# A run's options, in plain pytest as well.
_OWN = {option.flag for option in RUN_OPTIONS if option.takes_value} | {"--plumbline-command"}
TAKE_A_VALUE = frozenset((_PYTESTS + _XDISTS + _ALLURES).split()) | _OWN | _TESTS
