# SPDX-License-Identifier: GPL-2.0-or-later
"""The recorder's hooks for other pytest plugins; the terminal implements them."""

from pathlib import Path

import pytest

from reports.record import Check, FaultResult, HostRecord, RunRecord, TopologyRecord


def pytest_plumbline_planned(record: RunRecord, output: Path) -> None:
    """What is going to be checked is known; the record has each check as not decided."""


def pytest_plumbline_begins(nodeid: str, topology: str, check_id: str) -> None:
    """The first of a pytest item's checks begins on a topology."""


def pytest_plumbline_host(host: HostRecord) -> None:
    """The first host under test is up."""


def pytest_plumbline_topology(topology: TopologyRecord) -> None:
    """Something new is known of a topology: it is up, failed, or was taken down."""


def pytest_plumbline_fault(fault: FaultResult) -> None:
    """All checks of a topology with a deliberate break are made."""


def pytest_plumbline_check(
    check: Check, report: pytest.TestReport, progress: tuple[int, int]
) -> None:
    """A check has a verdict, or another one than before; `progress` is decided of planned."""


def pytest_plumbline_unexplained(report: pytest.TestReport) -> None:
    """A test failed in a way that no verdict accounts for: it must be shown."""


def pytest_plumbline_finished(record: RunRecord, output: Path, exit_code: int) -> None:
    """The run is over and its record saved; `exit_code` is what the shell will see."""
