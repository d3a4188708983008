# SPDX-License-Identifier: GPL-2.0-or-later
"""The pytest plugin that takes the place of pytest's own terminal output in a run.

It is active with `--plumbline-terminal`, in the process that reports. It draws what the recorder
reports (`reports.recording.hooks`) and shows the messages of pytest beyond the checks: suites
that can't be collected, internal errors, warnings, workers that died.
"""

import pytest

from contracts.language import ENGLISH, speak
from contracts.run_settings import settings_of
from reports.terminal.prove_terminal import ProofTerminal
from reports.terminal.run_terminal import Terminal

PLUGIN_NAME = "plumbline-terminal"

# With one of these pytest itself has something to show, or a debugger needs its terminal writer.
_NEEDS_PYTESTS_OWN = (
    "collectonly",
    "help",
    "markers",
    "showfixtures",
    "show_fixtures_per_test",
    "setuponly",
    "setupplan",
    "setupshow",
    "usepdb",
    "trace",
    "pastebin",
    "debug",
    "traceconfig",
)


def _is_wanted(config: pytest.Config) -> bool:
    return (
        bool(getattr(config.option, "plumbline_terminal", False))
        and not hasattr(config, "workerinput")
        and not any(getattr(config.option, name, False) for name in _NEEDS_PYTESTS_OWN)
    )


# First, because pytest registers its reporter in the same hook and xdist looks for it there: a name
# that is blocked before can't be registered at all, so the order of the others doesn't matter.
@pytest.hookimpl(tryfirst=True, specname="pytest_configure")
def pytest_keep_own_reporter_out(config: pytest.Config) -> None:
    """Keep pytest's own reporter from being registered."""
    if _is_wanted(config):
        config.pluginmanager.set_blocked("terminalreporter")


# Last, because the options plugin settles the output directory in its own pytest_configure.
@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take its place.

    Raises:
        pytest.UsageError: there is no record to draw.
    """
    if not _is_wanted(config):
        return
    settings = settings_of(config)
    if settings.output is None:
        raise pytest.UsageError(
            "--plumbline-terminal shows a run record, and none is written: "
            "expected an output directory; name one, or leave the option out"
        )
    # The recorder of this process writes English all the same.
    speak(settings.lang or ENGLISH)
    kind = ProofTerminal if settings.faults else Terminal
    config.pluginmanager.register(kind(config), PLUGIN_NAME)
