# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults of other topologies than passthrough, in a lab: on a sandbox that has the lab's kernel."""

from pathlib import Path

import pytest

from tests.launched import launched


@pytest.mark.lab
def test_a_fault_of_open_vswitch_is_caught_in_a_lab(tmp_path: Path) -> None:
    words = ["--host", "lab", "--topology", "ovs", "--fault", "ovs-second-wrong-tag"]
    done, record = launched("prove", tmp_path / "run", *words, "--others", "none")
    assert done.returncode == 0, done.stdout + done.stderr
    assert record["host"]["kind"] == "lab"
    assert [fault["outcome"] for fault in record["faults"]] == ["caught"]


@pytest.mark.lab
def test_without_its_topology_it_is_refused_with_the_way(tmp_path: Path) -> None:
    words = ["--host", "lab", "--fault", "ovs-second-wrong-tag", "--fault", "vf-trusted"]
    done, record = launched("prove", tmp_path / "run", *words)
    assert done.returncode == 4
    assert "with --topology ovs" in done.stderr + done.stdout
    assert not record
