# SPDX-License-Identifier: GPL-2.0-or-later
"""The terminal in real pytest runs: in a pipe, on a terminal, with pytest's own options."""

import os
import pty
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from test_recorder_dummy import (
    CONFORMING,
    RUN_DEADLINE_S,
    WITH_AND_WITHOUT_WORKERS,
    checks,
    command,
    environment,
    finish,
    prepare,
    run,
)

pytestmark = pytest.mark.slow

alone_and_with_workers = pytest.mark.parametrize(
    "workers", WITH_AND_WITHOUT_WORKERS, ids=["alone", "two-workers"]
)
SHOWN = "--plumbline-terminal"


@alone_and_with_workers
def test_a_pipe_gets_lines_without_control_characters(
    tmp_path: Path, workers: Sequence[str]
) -> None:
    prepare(tmp_path, CONFORMING)
    # A variable that CI systems set; a pipe stays a pipe.
    done = subprocess.run(
        command(tmp_path, SHOWN, *workers),
        cwd=tmp_path,
        env=environment(FORCE_COLOR="1", GITHUB_ACTIONS="true"),
        capture_output=True,
        text=True,
        timeout=RUN_DEADLINE_S,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", done.stdout)
    assert done.stderr == ""


@alone_and_with_workers
def test_a_run_is_told_from_its_plan_to_its_exit_code(
    tmp_path: Path, workers: Sequence[str]
) -> None:
    # One check: of two, with two workers, either may come first.
    ended = run(tmp_path, CONFORMING, SHOWN, "-k", "lease", *workers)

    lines = [" ".join(line.split()) for line in ended.stdout.splitlines()]
    told = [
        "host sandbox",
        "topologies nat",
        "checks 1, deciding 1 claim of the catalogue's 1",
        f"workers {2 if workers else 1}",
        "output output",
        "nat being built",
        "nat up in 1.5 s",
        "[1/1] nat dhcp.lease NT-05 conforms 0.2 s",
        "nat",
        "dhcp 1",
        "n conforms · no check",
    ]
    assert [line for line in lines if line in told] == told
    assert re.fullmatch(
        r"conforms 1 · not-testable 0 · inconclusive 0 · error 0 · violates 0 · [\d.]+ s"
        r" · output/run\.json · exit 0: every decided claim conforms",
        lines[-1],
    )
    # Nothing of pytest's own display.
    assert "passed" not in ended.stdout
    assert "test session starts" not in ended.stdout
    assert "bringing up nodes" not in ended.stdout


def test_reasons_stand_below_what_they_are_about(tmp_path: Path) -> None:
    ended = run(tmp_path, checks("violates: saw 10.10.10.2", "not-testable: no vlan"), SHOWN)

    lines = [" ".join(line.split()) for line in ended.stdout.splitlines()]
    assert lines[lines.index("saw 10.10.10.2") - 1].startswith("[1/2] nat dummy.check_0 NT-00 viol")
    assert lines[lines.index("no vlan") - 1].startswith(
        "[2/2] nat dummy.check_1 NT-01 not-testable"
    )


def test_an_error_shows_what_was_raised_and_with_v_all_of_it(tmp_path: Path) -> None:
    suite = checks("error: libvirtd is gone")

    brief, whole = tmp_path / "brief", tmp_path / "whole"
    brief.mkdir()
    whole.mkdir()
    shown = run(brief, suite, SHOWN).stdout
    shown_with_v = run(whole, suite, SHOWN, "-v").stdout

    assert "│ AssertionError: libvirtd is gone" in shown
    assert "│ suite/test_dummy.py:" in shown
    assert "│ def test_0(say):" not in re.sub(" +", " ", shown)
    assert "│ def test_0(say):" in re.sub(" +", " ", shown_with_v)


def test_a_pipe_gets_whole_lines(tmp_path: Path) -> None:
    long = " ".join(f"packet-{number}" for number in range(40))
    host = {"kind": "sandbox", "accel": {"name": "tcg", "reason": f"KVM is not proven: {long}"}}
    tells = f"request.node.user_properties.append(('plumbline.host', {host!r}))"
    suite = checks(f"violates: saw {long}").replace("def test_0(say):", "def test_0(say, request):")
    suite = suite.replace("    say(", f"    {tells}\n    say(", 1)

    ended = run(tmp_path, suite, SHOWN)

    lines = [line.strip() for line in ended.stdout.splitlines()]
    assert f"saw {long}" in lines
    assert f"host: sandbox, tcg (KVM is not proven: {long})" in lines
    assert "…" not in ended.stdout


def test_q_shows_only_what_does_not_conform(tmp_path: Path) -> None:
    ended = run(tmp_path, checks("conforms", "violates: saw 10.10.10.2"), SHOWN, "-q")

    assert "dummy.check_0" not in ended.stdout
    assert "dummy.check_1" in ended.stdout


def test_k_chooses_checks(tmp_path: Path) -> None:
    ended = run(tmp_path, CONFORMING, SHOWN, "-k", "lease")

    assert "checks      1, deciding 1 claim of the catalogue's 1\n" in ended.stdout
    assert ended.status == 0


@alone_and_with_workers
def test_a_warning_is_shown_once_with_its_place(tmp_path: Path, workers: Sequence[str]) -> None:
    suite = CONFORMING.replace(
        "import pytest", "import pytest, warnings\nwarnings.warn('this module is old')", 1
    )

    ended = run(tmp_path, suite, SHOWN, *workers)

    assert ended.stdout.count("UserWarning: this module is old") == 1


DOUBTFUL = """
import warnings

def pytest_configure(config):
    if hasattr(config, "workerinput"):
        return
    doubtful = warnings.WarningMessage(UserWarning("a range in use"), UserWarning, "my.yaml", 22)
    given = {"warning_message": doubtful, "when": "config", "nodeid": "", "location": None}
    config.hook.pytest_warning_recorded.call_historic(kwargs=given)
"""


@alone_and_with_workers
def test_a_warning_of_a_file_of_data_is_shown_once_and_without_a_class(
    tmp_path: Path, workers: Sequence[str]
) -> None:
    (tmp_path / "doubtful.py").write_text(DOUBTFUL)

    ended = run(tmp_path, CONFORMING, SHOWN, "-p", "doubtful", *workers)

    assert ended.stdout.count("a range in use") == 1
    assert "\n  my.yaml:22: a range in use\n" in ended.stdout


def test_a_dead_worker_is_named(tmp_path: Path) -> None:
    suite = """
import os
import pytest

@pytest.mark.decides("reach.udp", ["NT-12"], "nat")
def test_udp():
    os._exit(3)
"""
    ended = run(tmp_path, suite, SHOWN, "-n2")

    assert re.search(r"worker gw\d died", ended.stdout)


def test_a_missing_capability_is_named_in_the_closing_line(tmp_path: Path) -> None:
    ended = run(tmp_path, checks("conforms"), SHOWN, "--lacks", "sriov", "--lacks", "vlan")

    assert ended.stdout.rstrip().endswith(
        "exit 11: an expected capability is missing (expected and missing: sriov, vlan)"
    )


def test_a_usage_error_is_said_and_nothing_is_summed_up(tmp_path: Path) -> None:
    ended = run(tmp_path, CONFORMING, SHOWN, "no/such/suite.py")

    assert ended.status == 4
    assert "no/such/suite.py" in ended.stderr
    assert "conforms" not in ended.stdout


def test_the_terminal_without_a_record_is_a_usage_error(tmp_path: Path) -> None:
    prepare(tmp_path, CONFORMING)
    ended = finish(tmp_path, SHOWN, "--output", "")

    assert ended.status == 4
    assert "none is written: expected an output directory" in ended.stderr


@pytest.mark.parametrize("option", ["--collect-only", "--fixtures", "--setup-plan", "--help"])
def test_where_pytest_itself_is_asked_it_answers(tmp_path: Path, option: str) -> None:
    ended = run(tmp_path, CONFORMING, SHOWN, option)

    assert ended.stderr == ""
    assert "exit 0" not in ended.stdout
    assert re.search(r"test_lease|fixtures defined from|usage:", ended.stdout)


@alone_and_with_workers
@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_gets_colours_and_a_status_line_that_is_gone_at_the_end(
    tmp_path: Path, columns: int, workers: Sequence[str]
) -> None:
    reason = "violates: the outside saw 10.10.10.2 as the source, expected 192.168.1.2 " * 3
    status, screen = on_terminal(tmp_path, SLOW + checks(reason), columns, *workers)

    assert status == 1, screen
    assert "\x1b[32mconforms" in screen
    # What ran when the line was drawn, and that it is erased again.
    assert re.search(r"\[[01]/2\] 0:\d\d  nat (being built|slow\.check) \d s", screen)
    assert screen.count("\x1b[2K") > 2
    assert screen.rindex("\x1b[2K") < screen.rindex("exit 1")
    # The cursor that the status line hides comes back at once, not only at the end.
    assert screen.index("\x1b[?25h") < screen.index("Plumbline")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)
    widths = [len(line) for line in re.split(r"[\r\n]+", plain)]
    assert max(widths) <= columns, plain


SLOW = """
import pytest, threading

@pytest.mark.decides("slow.check", ["NT-99"], "nat")
def test_slow(say):
    # Long enough for the status line to be drawn twice.
    threading.Event().wait(1.2)
    say("conforms")
"""


def on_terminal(folder: Path, suite: str, columns: int, *arguments: str) -> tuple[int, str]:
    """Run a suite on a terminal of its own; return its exit status and all that was drawn."""
    prepare(folder, suite)
    ours, theirs = pty.openpty()
    subprocess.run(["stty", "cols", str(columns), "rows", "40"], stdin=theirs, check=True)
    process = subprocess.Popen(
        command(folder, SHOWN, *arguments),
        cwd=folder,
        env=environment(TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    drawn = b""
    try:
        while chunk := _read(ours):
            drawn += chunk
        return process.wait(RUN_DEADLINE_S), drawn.decode()
    finally:
        os.close(ours)
        if process.poll() is None:
            process.kill()
            process.wait()


def _read(terminal: int) -> bytes:
    """Read what was drawn; the end is an error (EIO), as nobody has the other side open."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
