# SPDX-License-Identifier: GPL-2.0-or-later
"""Real runs in staged hosts whose verdicts are compared with those of a file."""

from pathlib import Path

import pytest

from contracts.exit_codes import EXIT_CONFORMS, EXIT_USAGE, EXIT_VIOLATES
from tests.launched import launched

# As docker's, whose packages it does without: what is forwarded is dropped.
PROFILE = """\
text = "plain, and a policy of DROP for forwarded packets"
commands = ["iptables -P FORWARD DROP", "virsh -q net-start default"]
"""
EXPECTED = """\
schema: plumbline/verdicts/1
seen:
  bookworm:
    linux-bridge: [LB-02, "connectivity.reach[guest-to-guest"]
    host: [HR-01]
exceptions:
  - topologies: [linux-bridge]
    checks: ["connectivity.reach[guest-to-guest"]
    having: [bridge-nf]
    verdict: violates
    why: Bridged packets meet the policy.
"""
# What a bridge drops by the policy is waited for until a deadline, in each protocol: one is enough.
CHECKS = ("--", "-k", "new_bridge_is_empty or guest-to-guest-tcp or host_is_as_it_was")


def staged(folder: Path, expected: str) -> list[str]:
    """Return the words of a run in a host of one's own with a file of expected verdicts."""
    mine = folder / "mine.toml"
    mine.write_text(PROFILE)
    (folder / "mine.verdicts.yaml").write_text(expected)
    return [
        *("--host", "staged", "--profile", str(mine), "--topology", "linux-bridge"),
        *("--expect-verdicts", "profile"),
    ]


@pytest.mark.staged
def test_an_expected_violation_is_as_expected(tmp_path: Path) -> None:
    done, record = launched("run", tmp_path / "run", *staged(tmp_path, EXPECTED), *CHECKS)
    assert done.returncode == EXIT_CONFORMS, done.stdout + done.stderr
    verdicts = {check["id"].partition("[")[0]: check["verdict"] for check in record["checks"]}
    assert verdicts["connectivity.reach"] == "violates"
    assert record["ended_with"] == EXIT_CONFORMS
    assert "3 of 3 verdicts as expected by mine.verdicts.yaml, 1 of them" in done.stdout
    assert "Bridged packets meet the policy." in done.stdout
    assert "every compared verdict is the expected one" in done.stdout


@pytest.mark.staged
def test_a_wrong_expectation_is_caught_in_both_directions(tmp_path: Path) -> None:
    wrong = """\
schema: plumbline/verdicts/1
seen:
  bookworm:
    linux-bridge: [LB-02, "connectivity.reach[guest-to-guest"]
exceptions:
  - {claims: [LB-02], verdict: violates, why: No bridge is made here.}
"""
    done, record = launched("run", tmp_path / "run", *staged(tmp_path, wrong), *CHECKS)
    assert done.returncode == EXIT_VIOLATES, done.stdout + done.stderr
    said = done.stdout
    assert "LB-02  linux-bridge: expected violates, found conforms" in said
    assert "expected because: No bridge is made here." in said
    assert "linux-bridge: expected conforms, found violates" in said
    assert "no expectation, as no run on such a host has shown it yet: host HR-01" in said
    assert "0 of 2 verdicts as expected by mine.verdicts.yaml; no expectation for 1 more" in said
    assert record["expected"]["file"] == "mine.verdicts.yaml"


@pytest.mark.staged
def test_a_file_with_an_error_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    words = staged(tmp_path, EXPECTED.replace("LB-02", "LB-92"))
    done, record = launched("run", tmp_path / "run", *words, *CHECKS)
    assert done.returncode == EXIT_USAGE, done.stdout + done.stderr
    assert 'mine.verdicts.yaml:4: seen.bookworm.linux-bridge[0]: unknown claim "LB-92"' in (
        done.stdout + done.stderr
    )
    assert not record


@pytest.mark.host
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--host", "sandbox"], "--expect-verdicts: not with --host sandbox"),
        (["--host", "staged", "--disruptive"], "those of a run without --disruptive"),
        (["--host", "staged", "--profile", "mine.toml"], "has no "),
    ],
    ids=["no profiles", "another run", "no file"],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, words: list[str], says: str) -> None:
    (tmp_path / "mine.toml").write_text(PROFILE)
    done, record = launched("run", tmp_path / "run", *words, "--expect-verdicts", "profile")
    assert done.returncode == EXIT_USAGE, done.stdout + done.stderr
    assert says in done.stderr
    assert not record
