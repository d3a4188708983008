# SPDX-License-Identifier: GPL-2.0-or-later
"""The gate's rehearsals on staged hosts, by the commands of docs/gate.md."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.run_files import RECORD
from launcher.gate_folder import FILE

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "gate.md"
# A whole upgrade among them, and two runs.
DEADLINE_S = 2400
FENCE = re.compile(r"^```sh\n(?P<commands>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder for hosts and gates; overlays leave a folder in it that no user may enter."""
    (tmp_path / "gate").mkdir()
    yield tmp_path
    for state in ("host", "release", "hook", "halves"):
        shutil.rmtree(tmp_path / state, ignore_errors=True)


def documented(title: str, place: Path) -> list[list[str]]:
    """Return the commands below a title of the page, with their folders in another place."""
    _, _, below = PAGE.read_text().partition(f"\n### {title}\n")
    fence = FENCE.search(below.partition("\n### ")[0])
    assert fence is not None, f"{PAGE} has no commands below {title!r}"
    commands = shlex.split(fence["commands"].replace("\\\n", ""), comments=True)
    found: list[list[str]] = []
    for word in commands:
        if word == "sudo":
            found.append([])
        else:
            found[-1].append(word.replace("/srv/plumbline", str(place)))
    return found


def done(words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command of the page in the clone, whatever its end."""
    program, *rest = words
    assert program == "./plumbline"
    return subprocess.run(
        [sys.executable, str(ROOT / program), *rest],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def answer(said: subprocess.CompletedProcess[str]) -> str:
    """Return the gate's sentence."""
    [line] = [line for line in said.stdout.splitlines() if line.startswith("gate ")]
    return line


def releases(gate: Path) -> list[str]:
    """Return the release of the host in the run before and in the run after."""
    records = [json.loads((gate / each / RECORD).read_text()) for each in ("before", "after")]
    return [str(each["host"]["release"]) for each in records]


def titles() -> set[str]:
    """Return the titles of the rehearsals on the page."""
    _, _, below = PAGE.read_text().partition("\n## Rehearsed first\n")
    return set(re.findall(r"^### (.+)$", below, re.MULTILINE))


def test_each_rehearsal_of_the_page_has_a_test(place: Path) -> None:
    """A section whose commands no test runs would be of no use to those who type them."""
    own = Path(__file__).read_text()
    assert len(titles()) == 6
    for title in titles():
        assert documented(title, place)
        assert own.count(f'documented("{title}", place)') == 1, title


@pytest.mark.staged
def test_a_bridge_that_loses_its_uplink_closes_the_gate(place: Path) -> None:
    [gate] = documented("A bridge loses its uplink", place)
    said = done(gate)
    assert said.returncode == 1, said.stdout + said.stderr
    assert answer(said) == (
        "gate closed: network-vmbr0-net: BR-01 regressed (checks that conform as before: 1)"
    )
    assert "Unpacking site-network (2) over (1)" in said.stdout
    page = (place / "gate" / "uplink" / "gate.html").read_text()
    assert "none of its ports leads to other machines" in page


@pytest.mark.staged
def test_nat_guests_that_dockers_policy_cuts_off_close_the_gate(place: Path) -> None:
    [gate] = documented("Docker's policy cuts off NAT guests", place)
    said = done(gate)
    assert said.returncode == 1, said.stdout + said.stderr
    assert answer(said).startswith("gate closed: nat: ")
    claims = answer(said).partition(" regressed")[0].removeprefix("gate closed: nat: ").split()
    # Guests of one network are ports of one bridge; they are cut off too where br_netfilter is.
    assert {"NT-09", "NT-10"} <= set(claims) <= {"NT-09", "NT-10", "NT-12"}
    assert re.search(r"Unpacking libvirt0\S* \((.+)\+site1\) over \(\1\)", said.stdout)
    page = (place / "gate" / "docker" / "gate.html").read_text()
    assert "policy DROP of chain FORWARD" in page


@pytest.mark.staged
def test_a_whole_upgrade_with_a_restart_in_the_middle_opens_the_gate(place: Path) -> None:
    ready, upgrade, wait = documented("A Debian 12 becomes 13", place)
    said = done(ready)
    assert said.returncode == 0, said.stdout + said.stderr
    # The host ends in the middle of it.
    cut = done(upgrade)
    said = done(wait)
    assert said.returncode == 0, cut.stdout + cut.stderr + said.stdout + said.stderr
    assert answer(said).startswith("gate open: ")
    gate = place / "host" / "upper" / "var" / "lib" / "plumbline" / "gate"
    assert "the machine is up again: running" in (gate / "after.log").read_text()
    before, after = releases(gate)
    assert "bookworm" in before
    assert "trixie" in after


@pytest.mark.staged
def test_a_whole_upgrade_from_outside_opens_the_gate(place: Path) -> None:
    [gate] = documented("From outside, a Debian 12 becomes 13", place)
    said = done(gate)
    assert said.returncode == 0, said.stdout + said.stderr
    assert answer(said).startswith("gate open: ")
    before, after = releases(place / "gate" / "release")
    assert "bookworm" in before
    assert "trixie" in after


@pytest.mark.staged
def test_a_hook_that_breaks_nat_closes_the_gate_until_it_is_removed(place: Path) -> None:
    change, remove, again = documented("From outside, a hook that is removed again", place)
    said = done(change)
    assert said.returncode == 1, said.stdout + said.stderr
    assert "gate closed: nat: NT-09 regressed" in answer(said)
    gate = place / "gate" / "hook"
    assert said.stdout.strip().endswith(str(gate / "gate.html"))
    assert "NT-09" in (gate / "gate.html").read_text()
    # Without --samples each run takes enough to show a change of a speed.
    words = json.loads((gate / FILE).read_text())["words"]
    assert words[-2:] == ["--samples=10", "--interleave"]

    mended = done(remove)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    said = done(again)
    assert said.returncode == 0, said.stdout + said.stderr
    assert answer(said).startswith("gate open: ")
    assert (gate / "after-1" / RECORD).exists()


@pytest.mark.staged
def test_a_gate_in_two_halves_closes_with_a_change_between_them_and_opens_without(
    place: Path,
) -> None:
    before, change, after = documented("In two halves", place)
    began = done(before)
    assert began.returncode == 0, began.stdout + began.stderr
    assert "next: ./plumbline gate --after" in began.stdout
    unchanged = done(after)
    assert unchanged.returncode == 0, unchanged.stdout + unchanged.stderr
    assert answer(unchanged).startswith("gate open: ")

    for words in (before, change):
        said = done(words)
        assert said.returncode == 0, said.stdout + said.stderr
    closed = done(after)
    assert closed.returncode == 1, closed.stdout + closed.stderr
    assert answer(closed).startswith("gate closed: nat: NT-09 regressed")
