# SPDX-License-Identifier: GPL-2.0-or-later
"""The recorder in real pytest runs: what ends up in the record, and what the shell sees."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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

from contracts.plan import PlannedCheck, write_plan
from fixtures.waiting import until
from reports.exports.junit import render
from reports.record import RunRecord, load
from reports.recording.ledger import NOT_DECIDED

pytestmark = pytest.mark.slow

alone_and_with_workers = pytest.mark.parametrize(
    "workers", WITH_AND_WITHOUT_WORKERS, ids=["alone", "two-workers"]
)


def test_the_record_of_a_run_whose_terminal_is_chinese_is_in_english(tmp_path: Path) -> None:
    suite = checks("violates: 0 of 1", "conforms")
    words = ("--plumbline-terminal", "--lang", "zh", "--waived", "NT-00", "--waived", "NT-01")
    ended = run(tmp_path, suite, *words)
    assert ended.status == 0, ended.stdout + ended.stderr
    assert "已豁免，至 2099-12-31：812；所见：0 of 1" in ended.stdout
    notes = {each.id: each.note for each in ended.record.waivers}
    assert notes == {
        "NT-00": None,
        "NT-01": "nothing of it is violated, its checks are conforms",
    }
    junit = (ended.output / "junit.xml").read_text()
    assert "waived until 2099-12-31: 812; seen: 0 of 1" in junit
    assert "豁免" not in junit


# The first check is decided; the second never ends by itself.
ENDLESS = """
import threading
import pytest

@pytest.mark.decides("dhcp.lease", ["NT-05"], "nat")
def test_lease(say):
    say("conforms")

@pytest.mark.decides("reach.ping", ["NT-12"], "nat")
def test_ping(say):
    threading.Event().wait()
"""


@pytest.mark.parametrize(
    ("verdicts", "arguments", "status"),
    [
        (["conforms", "not-testable: no vlan"], [], 0),
        (["conforms", "violates: saw 10.10.10.2", "inconclusive: no control"], [], 1),
        (["conforms", "inconclusive: no control"], [], 10),
        (["conforms", "error: libvirtd is gone"], [], 10),
        (["not-testable: no vlan"], [], 10),
        (["conforms"], ["--lacks", "sriov"], 11),
        (["conforms", "error: x"], ["--lacks", "sriov"], 11),
        (["conforms", "violates: x"], ["--lacks", "sriov"], 1),
        (["conforms"], ["-k", "nothing_has_this_name"], 10),
        (["conforms"], ["no/such/suite.py"], 4),
    ],
)
def test_the_exit_code_is_the_contracts(
    tmp_path: Path, verdicts: list[str], arguments: list[str], status: int
) -> None:
    ended = run(tmp_path, checks(*verdicts), *arguments)

    assert ended.status == status, ended.stdout + ended.stderr
    assert ended.record.finished is not None


@alone_and_with_workers
def test_what_a_claim_says_is_recorded(tmp_path: Path, workers: Sequence[str]) -> None:
    ended = run(tmp_path, CONFORMING, *workers)

    said = {id_: each.model_dump() for id_, each in ended.record.statements.items()}
    assert said == {"NT-05": {"statement": "A guest gets its address by DHCP", "source": "D4: NAT"}}


def test_junit_beside_the_record_is_made_from_it(tmp_path: Path) -> None:
    run(tmp_path, checks("conforms", "inconclusive: no control"))

    [junit] = tmp_path.rglob("junit.xml")
    assert junit.read_text() == render(load(junit.with_name("run.json")))


@alone_and_with_workers
def test_each_verdict_is_recorded_with_its_reason(tmp_path: Path, workers: Sequence[str]) -> None:
    verdicts = ["conforms", "violates: saw 10.10.10.2", "not-testable: no vlan", "error: gone"]

    ended = run(tmp_path, checks(*verdicts), *workers)

    assert ended.status == 1
    recorded = [(check.verdict.value, check.reason) for check in ended.record.checks]
    assert recorded == [
        ("conforms", None),
        ("violates", "saw 10.10.10.2"),
        ("not-testable", "no vlan"),
        ("error", "gone"),
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise OSError('no such device')", "its call failed: OSError: no such device"),
        ("say('conforms'); raise OSError('gone')", "its call failed: OSError: gone"),
        ("pytest.skip('not today')", "skipped without a verdict: Skipped: not today"),
        ("pass", "the check ended without a verdict"),
        ("say('fine')", "a plumbline.check entry is not what the contract says: verdict: "),
    ],
)
@alone_and_with_workers
def test_what_the_check_does_not_put_into_a_verdict_is_an_error(
    tmp_path: Path, workers: Sequence[str], body: str, reason: str
) -> None:
    suite = f"""
import pytest

@pytest.mark.decides("dhcp.lease", ["NT-05"], "nat")
def test_lease(say):
    {body}
"""
    ended = run(tmp_path, suite, *workers)

    assert ended.status == 10, ended.stdout + ended.stderr
    assert ended.check("dhcp.lease").verdict == "error"
    assert (ended.check("dhcp.lease").reason or "").startswith(reason)


TEARDOWN = """
import pytest

@pytest.fixture
def network(tell):
    yield
    {telling}
    raise OSError("virbr1 is busy")

@pytest.mark.decides("dhcp.lease", ["NT-05"], "nat")
def test_lease(network, say):
    {saying}
"""


@pytest.mark.parametrize(
    ("saying", "telling", "check", "topology", "status"),
    [
        ("say('conforms')", "", "error", "error", 10),
        (
            "say('conforms')",
            "tell('topology', name='nat', verdict='error')",
            "conforms",
            "error",
            10,
        ),
        ("say('violates'); assert False", "", "violates", "violates", 1),
        ("say('inconclusive'); raise OSError", "", "inconclusive", "inconclusive", 10),
    ],
)
def test_a_failed_teardown_is_never_lost(
    tmp_path: Path, saying: str, telling: str, check: str, topology: str, status: int
) -> None:
    suite = TEARDOWN.format(saying=saying, telling=telling)

    ended = run(tmp_path, suite, "--plumbline-terminal")

    assert ended.status == status
    assert ended.check("dhcp.lease").verdict == check
    assert ended.record.topologies[0].verdict == topology
    if not telling:
        assert "virbr1 is busy" in ended.stdout


def test_a_later_phase_may_correct_the_verdict(tmp_path: Path) -> None:
    suite = """
import pytest

@pytest.fixture
def network(say):
    yield
    say("inconclusive", "the control did not work again after")

@pytest.mark.decides("dhcp.lease", ["NT-05"], "nat")
def test_lease(network, say):
    say("conforms")
"""
    ended = run(tmp_path, suite)

    assert ended.status == 10
    assert ended.check("dhcp.lease").reason == "the control did not work again after"


@alone_and_with_workers
def test_a_test_outside_the_plan_fails_the_run_and_is_shown(
    tmp_path: Path, workers: Sequence[str]
) -> None:
    suite = CONFORMING + "\ndef test_stray():\n    assert 'stray' == 'planned'\n"

    ended = run(tmp_path, suite, "--plumbline-terminal", *workers)

    assert ended.status == 10
    assert len(ended.record.checks) == 2
    assert "assert 'stray' == 'planned'" in ended.stdout


@alone_and_with_workers
def test_a_suite_that_cannot_be_collected_fails_the_run_and_is_shown(
    tmp_path: Path, workers: Sequence[str]
) -> None:
    ended = run(tmp_path, "import no_such_module", "--plumbline-terminal", *workers)

    assert ended.status == 10
    assert ended.record.finished is not None
    assert ended.stdout.count("No module named 'no_such_module'") == 1


def test_an_internal_error_fails_the_run_and_is_shown(tmp_path: Path) -> None:
    broken = "\ndef pytest_runtest_protocol(item):\n    raise RuntimeError('a hook broke')\n"
    prepare(tmp_path, CONFORMING)
    with (tmp_path / "suite" / "conftest.py").open("a") as conftest:
        conftest.write(broken)

    ended = finish(tmp_path, "--plumbline-terminal")

    assert ended.status == 10, ended.stdout + ended.stderr
    assert "RuntimeError: a hook broke" in ended.stdout
    assert {check.reason for check in ended.record.checks} == {NOT_DECIDED}


def test_an_error_while_the_session_ends_does_not_look_like_a_violation(tmp_path: Path) -> None:
    broken = "\ndef pytest_sessionfinish(session):\n    raise RuntimeError('a last hook broke')\n"
    prepare(tmp_path, CONFORMING)
    with (tmp_path / "suite" / "conftest.py").open("a") as conftest:
        conftest.write(broken)

    ended = finish(tmp_path, "--plumbline-terminal")

    assert ended.status == 10, ended.stdout + ended.stderr
    assert "RuntimeError: a last hook broke" in ended.stdout


def test_a_run_without_an_output_directory_is_left_alone(tmp_path: Path) -> None:
    prepare(tmp_path, checks("conforms"))
    arguments = command(tmp_path)
    where = arguments.index("--output")
    done = subprocess.run(
        arguments[:where] + arguments[where + 2 :],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=RUN_DEADLINE_S,
        check=False,
    )

    assert done.returncode == 0
    assert "1 passed" in done.stdout
    assert not list((tmp_path / "output").iterdir())


def test_the_plan_of_an_earlier_run_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    prepare(tmp_path, "import no_such_module")
    old = PlannedCheck("old", "x", claims=(), topology="old", rerun="")
    write_plan(tmp_path / "output", [old])

    ended = finish(tmp_path, "-n2")

    assert ended.record.checks == []


@alone_and_with_workers
def test_a_run_that_is_to_end_at_the_first_violation_is_not_an_interrupted_one(
    tmp_path: Path, workers: Sequence[str]
) -> None:
    ended = run(tmp_path, checks("violates: x", "conforms"), "-x", *workers)

    assert ended.status == 1, ended.stdout + ended.stderr
    assert ended.check("dummy.check_0").verdict == "violates"


def test_what_comes_after_the_end_asked_for_is_not_decided(tmp_path: Path) -> None:
    ended = run(tmp_path, checks("violates: x", "conforms"), "-x")

    assert ended.check("dummy.check_1").reason == NOT_DECIDED


def test_a_worker_that_dies_makes_an_error_of_its_check_and_of_no_other(tmp_path: Path) -> None:
    suite = (
        CONFORMING
        + """
import os

@pytest.mark.decides("reach.udp", ["NT-12"], "nat1")
def test_udp():
    os._exit(3)
"""
    )
    ended = run(tmp_path, suite, "-n2", "--plumbline-terminal")

    assert ended.status == 10, ended.stdout + ended.stderr
    assert ended.check("reach.udp", "nat1").verdict == "error"
    assert "crashed while running" in (ended.check("reach.udp", "nat1").reason or "")
    assert ended.check("dhcp.lease").verdict == "conforms"
    assert ended.check("reach.ping").verdict == "conforms"


@alone_and_with_workers
def test_a_killed_run_leaves_a_record_of_what_was_not_decided(
    tmp_path: Path, workers: Sequence[str]
) -> None:
    with running(tmp_path, *workers) as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(RUN_DEADLINE_S)

    record = load(tmp_path / "output" / "run.json")
    assert record.finished is None
    assert [(check.id, check.verdict.value) for check in record.checks[:2]] == [
        ("dhcp.lease", "conforms"),
        ("reach.ping", "inconclusive"),
    ]
    assert record.checks[1].reason == NOT_DECIDED
    assert [claim.verdict.value for claim in record.claims] == ["conforms", "inconclusive"]
    assert record.exit_code() == 10


def test_a_run_whose_record_has_no_room_says_so_and_keeps_the_last_one(tmp_path: Path) -> None:
    prepare(tmp_path, CONFORMING)
    # The first record has no check; that with the plan is longer.
    argv = ["prlimit", "--fsize=1600", *command(tmp_path)]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env=environment(), cwd=tmp_path
    )
    assert done.returncode == 10, done.stdout + done.stderr
    assert "the record cannot be written to" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    record = load(tmp_path / "output" / "run.json")
    assert record.finished is None
    assert not list((tmp_path / "output").glob(".*.part"))


@alone_and_with_workers
def test_an_interrupted_run_ends_with_130_and_a_closed_record(
    tmp_path: Path, workers: Sequence[str]
) -> None:
    with running(tmp_path, *workers) as process:
        # As a terminal does on Ctrl-C: to everyone in the foreground.
        os.killpg(process.pid, signal.SIGINT)
        status = process.wait(RUN_DEADLINE_S)

    assert status == 130
    record = load(tmp_path / "output" / "run.json")
    assert record.finished is not None
    assert record.checks[0].verdict == "conforms"
    assert record.checks[1].reason == NOT_DECIDED


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a run of `ENDLESS` that has its first check decided; nothing of it is left after."""
    prepare(folder, ENDLESS)
    record = folder / "output" / "run.json"

    def first_is_decided() -> bool:
        known: RunRecord | None = load(record) if record.exists() else None
        return known is not None and "conforms" in {check.verdict for check in known.checks}

    process = subprocess.Popen(
        # Whoever runs the tests in the background may have it ignored.
        ["env", "--default-signal=INT", *command(folder, *arguments)],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until(first_is_decided, "the first check is recorded", deadline_s=RUN_DEADLINE_S)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(RUN_DEADLINE_S)
