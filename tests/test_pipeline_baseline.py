# SPDX-License-Identifier: GPL-2.0-or-later
"""Which runs `ci/qualify` keeps as a baseline, and which takes the place of one, without a network.

That what both runs left open leaves their comparison decided is in tests/test_compare_verdicts.py.
"""

from pathlib import Path

import pytest

from tests.pipeline_clone import PipelineClone, recorded


@pytest.fixture
def clone(tmp_path: Path) -> PipelineClone:
    return PipelineClone(tmp_path / "clone")


@pytest.mark.parametrize(
    ("code", "verdicts"),
    [
        (0, ["conforms"]),
        (1, ["violates", "conforms", "not-testable"]),
        (1, ["violates", "inconclusive"]),
        (10, ["conforms", "error"]),
    ],
)
def test_a_run_that_decided_something_is_the_first_baseline(
    clone: PipelineClone, code: int, verdicts: list[str]
) -> None:
    clone.records(*verdicts)
    clone.ends_with(code)
    done = clone.qualify("--output", "made", "--baseline", "first")
    assert done.returncode == code
    assert "ci/qualify: this run is the baseline now: first\n" in done.stdout
    kept = (clone.folder / "first" / "run.json").read_text()
    assert kept == (clone.folder / "record").read_text()


@pytest.mark.parametrize(
    ("code", "record", "why"),
    [
        (10, recorded("inconclusive", "not-testable", "error"), "it decided nothing"),
        (10, recorded("host:conforms", "inconclusive"), "it decided nothing"),
        (10, recorded(), "it decided nothing"),
        (1, recorded("violates", "cut"), "it did not come to its end"),
        (10, recorded("conforms", finished=False), "it did not come to its end"),
        (11, recorded("conforms"), None),
        (130, recorded("conforms"), None),
    ],
)
def test_a_run_that_shows_nothing_or_ended_early_is_no_baseline(
    clone: PipelineClone, code: int, record: str, why: str | None
) -> None:
    (clone.folder / "record").write_text(record)
    clone.ends_with(code)
    done = clone.qualify("--output", "made", "--baseline", "first")
    assert done.returncode == code
    assert not (clone.folder / "first").exists()
    said = f"ci/qualify: this run is no baseline: {why}\n"
    assert (said in done.stdout) == (why is not None)


@pytest.mark.parametrize(
    ("before", "after", "code", "compared", "is_replaced"),
    [
        # It decided more, and nothing is worse, lost or found.
        (["conforms", "inconclusive"], ["conforms", "conforms"], 0, 0, True),
        (["violates", "error"], ["violates", "conforms"], 1, 0, True),
        (["conforms", "error", "error"], ["conforms", "conforms", "error"], 10, 0, True),
        # As open as before, and no more than that.
        (["conforms", "inconclusive"], ["conforms", "inconclusive"], 10, 0, False),
        (["conforms", "inconclusive"], ["conforms", "not-testable"], 0, 0, False),
        # What is worse, and a violation where the baseline is open, would be a known one.
        (["conforms", "inconclusive"], ["violates", "conforms"], 1, 1, False),
        (["conforms", "inconclusive"], ["conforms", "violates"], 1, 10, False),
        # One check was lost.
        (["conforms", "inconclusive", "error"], ["error", "conforms", "conforms"], 10, 10, False),
        # A baseline with nothing open stays.
        (["conforms", "not-testable"], ["conforms", "conforms"], 0, 0, False),
        # The host lacks a capability that was expected.
        (["conforms", "inconclusive"], ["conforms", "conforms"], 11, 0, False),
        # It decided more, and ended before its last check.
        (["conforms", "error", "error"], ["conforms", "conforms", "cut"], 10, 0, False),
    ],
)
def test_a_baseline_with_something_open_gives_way_to_a_run_that_decided_more(
    clone: PipelineClone,
    before: list[str],
    after: list[str],
    code: int,
    compared: int,
    is_replaced: bool,
) -> None:
    baseline = clone.has_baseline(*before)
    (baseline / "evidence").mkdir()
    clone.records(*after)
    clone.ends_with(code, compared)
    done = clone.qualify("--output", "made", "--baseline", "baseline")
    assert done.returncode == (11 if code == 11 else compared)
    assert (baseline / "run.json").read_text() == recorded(*(after if is_replaced else before))
    said = "this run is the baseline now: baseline; it decided more than the one before"
    assert (said in done.stdout) == is_replaced
    assert (baseline / "evidence").exists() != is_replaced
    kept = ["baseline", "baseline.before"] if is_replaced else ["baseline"]
    assert sorted(each.name for each in clone.folder.glob("baseline*")) == kept
    assert (clone.folder / kept[-1] / "evidence").is_dir()


def test_a_waived_violation_does_not_become_a_known_one(clone: PipelineClone) -> None:
    """Without its waiver it would be a regression of the former baseline, and none of this run."""
    baseline = clone.has_baseline("conforms", "inconclusive")
    clone.records("violates", "conforms", "conforms")
    clone.ends_with(0, 0)
    done = clone.qualify("--output", "made", "--baseline", "baseline")
    assert done.returncode == 0
    assert (baseline / "run.json").read_text() == recorded("conforms", "inconclusive")


def test_a_baseline_that_cannot_be_replaced_stays_and_decides_nothing(clone: PipelineClone) -> None:
    clone.has_baseline("conforms", "inconclusive").rename(clone.folder / "elsewhere")
    (clone.folder / "baseline").symlink_to("elsewhere")
    clone.records("conforms", "conforms")
    clone.ends_with(0, 0)
    done = clone.qualify("--output", "made", "--baseline", "baseline")
    assert done.returncode == 0
    assert "the baseline stays, though this run decided more: baseline is a link" in done.stdout
    kept = (clone.folder / "elsewhere" / "run.json").read_text()
    assert kept == recorded("conforms", "inconclusive")


def test_a_baseline_whose_replacement_was_cut_off_is_still_the_one(clone: PipelineClone) -> None:
    """A cut between two renames: its violations must not become those of a first baseline."""
    clone.has_baseline().rename(clone.folder / "baseline.replaced")
    clone.ends_with(1, 1)
    done = clone.qualify("--output", "made", "--baseline", "baseline")
    assert done.stdout.endswith("ci/qualify: red, compared with the baseline\n")
    assert (clone.folder / "baseline" / "run.json").exists()
