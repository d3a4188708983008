# SPDX-License-Identifier: GPL-2.0-or-later
"""The plan of checks, as it goes from the collection to the recorder and the scheduler."""

from pathlib import Path

import pytest

from contracts.plan import PlanError, PlannedCheck, read_plan, write_plan
from contracts.run_files import PLAN

CHECKS = [
    PlannedCheck("dhcp.lease[nat]", "s/test_dhcp.py::test_lease[nat]", ("NT-05",), "nat", "again"),
    PlannedCheck(
        id="connectivity.reach[nat-a-to-b-tcp]",
        nodeid="s/test_connectivity.py::test_reach[nat-a-to-b-tcp]",
        claims=("NT-01", "NT-02"),
        topology="nat",
        rerun="./plumbline run --topology 'a b.yaml' --after-build 'echo \"ä\"'",
        reach={"from": "a", "to": "b", "protocol": "tcp", "promised": True},
    ),
]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_plan(tmp_path, CHECKS)
    assert read_plan(tmp_path) == CHECKS
    assert [file.name for file in tmp_path.iterdir()] == [PLAN]


def test_a_plan_that_is_not_there_yet_is_told_from_a_wrong_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_plan(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "3", "[3]", '[{"id": "dhcp.lease"}]', '{"id": 1}'])
def test_a_file_that_is_not_a_plan_is_refused_by_its_name(tmp_path: Path, content: str) -> None:
    (tmp_path / PLAN).write_text(content)
    with pytest.raises(PlanError, match=r"\.plan\.json: not a plan of checks: "):
        read_plan(tmp_path)
