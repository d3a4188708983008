# SPDX-License-Identifier: GPL-2.0-or-later
"""A small real pytest run for the tests of the recorder and the terminal, and its control.

A run is a subprocess: exit codes, signals, workers that die and what a pipe receives are what can
break. Its checks say what they say by the same properties as the suites do.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from reports.record import Check, RunRecord, load

ROOT = Path(__file__).resolve().parent.parent

# An xdist run of this size takes 1.5 s alone; linters and guests may share the machine with it.
RUN_DEADLINE_S = 60.0

CONFTEST = '''
from dataclasses import asdict
from pathlib import Path

import pytest

from contracts.plan import PlannedCheck, write_plan
from contracts.run_settings import RunSettings, keep_settings

pytest_plugins = ["reports.recording.recorder", "reports.terminal.terminal_plugin"]


def pytest_addoption(parser):
    parser.addoption("--output")
    parser.addoption("--plumbline-terminal", action="store_true")
    parser.addoption("--lacks", action="append", default=[])
    parser.addoption("--waived", action="append", default=[])
    parser.addoption("--lang")


def pytest_configure(config):
    config.addinivalue_line("markers", "decides(id, claims, topology)")
    settings = RunSettings(
        output=Path(config.option.output) if config.option.output else None,
        missing=tuple(config.option.lacks),
        statements={"NT-05": "A guest gets its address by DHCP"},
        sources={"NT-05": "D4: NAT"},
        command=("./plumbline", "run"),
        waived=tuple(
            {"id": id_, "until": "2099-12-31", "why": "812", "source": "--waive"}
            for id_ in config.option.waived
        ),
        lang=config.option.lang,
    )
    keep_settings(config, settings)


def planned(item):
    mark = item.get_closest_marker("decides")
    if mark is None:
        return None
    check, claims, topology = mark.args
    return PlannedCheck(
        id=check,
        nodeid=item.nodeid,
        claims=tuple(claims),
        topology=topology,
        rerun=f"./plumbline run --topology {topology} -- -k {item.name}",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session):
    output = session.config.option.output
    alone = not session.config.getoption("numprocesses", None)
    if output and (alone or hasattr(session.config, "workerinput")):
        write_plan(Path(output), [each for item in session.items if (each := planned(item))])


@pytest.fixture
def say(request):
    """Report a verdict as the suites do."""

    def report(verdict, reason=None, **more):
        entry = asdict(planned(request.node))
        entry |= {"verdict": verdict, "reason": reason, "duration_s": 0.25} | more
        del entry["nodeid"]
        request.node.user_properties.append(("plumbline.check", entry))

    return report


@pytest.fixture
def tell(request):
    """Report something of a topology or the host."""

    def report(what, **known):
        request.node.user_properties.append((f"plumbline.{what}", known))

    return report
'''

CONFORMING = """
import pytest

@pytest.mark.decides("dhcp.lease", ["NT-05"], "nat")
def test_lease(say, tell):
    tell("host", kind="sandbox", release="Debian 12", accel={"name": "tcg", "reason": "no KVM"},
         facts={"cpus": 2})
    tell("topology", name="nat", kind="nat", title="NAT forwarding network", build_s=1.5)
    say("conforms")

@pytest.mark.decides("reach.ping", ["NT-12", "NT-10"], "nat")
def test_ping(say, tell):
    say("conforms", measurements=[{"name": "rtt", "unit": "ms", "samples": [0.5, 1]}])
    tell("topology", name="nat", teardown_s=0.5)
"""


@dataclass(frozen=True)
class Ended:
    """A dummy run that ended."""

    status: int
    stdout: str
    stderr: str
    output: Path

    @property
    def record(self) -> RunRecord:
        """The record that it left."""
        return load(self.output / "run.json")

    def check(self, check: str, topology: str = "nat") -> Check:
        """Return what became of a check."""
        (found,) = [
            each for each in self.record.checks if (each.id, each.topology) == (check, topology)
        ]
        return found


def prepare(folder: Path, suite: str) -> None:
    (folder / "suite").mkdir()
    (folder / "output").mkdir()
    (folder / "suite" / "conftest.py").write_text(CONFTEST)
    (folder / "suite" / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
    (folder / "suite" / "test_dummy.py").write_text(suite)


def command(folder: Path, *arguments: str) -> list[str]:
    return [
        *(sys.executable, "-m", "pytest", "suite", "-c", "suite/pytest.ini"),
        *("--output", str(folder / "output"), *arguments),
    ]


def environment(**more: str) -> dict[str, str]:
    """Return this one's environment, without what pytest, a CI or a terminal would change by it."""
    foreign = ("PYTEST_", "COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TERM", "TTY_")
    own = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return own | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"} | more


def finish(folder: Path, *arguments: str) -> Ended:
    """Run what is prepared to its end."""
    done = subprocess.run(
        command(folder, *arguments),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=RUN_DEADLINE_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr, folder / "output")


def run(folder: Path, suite: str, *arguments: str) -> Ended:
    """Run a dummy suite to its end."""
    prepare(folder, suite)
    return finish(folder, *arguments)


def checks(*verdicts: str, topology: str = "nat") -> str:
    """Return a suite with a check for each verdict: `verdict` or `verdict: reason`."""
    source = ["import pytest"]
    for number, each in enumerate(verdicts):
        verdict, _, reason = each.partition(": ")
        ending = {
            "conforms": "",
            "not-testable": f"pytest.skip({reason!r})",
        }.get(verdict, f"raise AssertionError({reason!r})")
        source.append(
            f"@pytest.mark.decides('dummy.check_{number}', ['NT-{number:02}'], {topology!r})\n"
            f"def test_{number}(say):\n"
            f"    say({verdict!r}, {reason or None!r})\n"
            f"    {ending}\n"
        )
    return "\n".join(source)


WITH_AND_WITHOUT_WORKERS: Sequence[Sequence[str]] = ((), ("-n2", "--dist", "loadgroup"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", WITH_AND_WITHOUT_WORKERS, ids=["alone", "two-workers"])
def test_a_conforming_run_is_recorded_whole(tmp_path: Path, workers: Sequence[str]) -> None:
    ended = run(tmp_path, CONFORMING, *workers)

    assert ended.status == 0, ended.stdout + ended.stderr
    record = ended.record
    assert record.finished is not None
    assert record.finished >= record.started
    assert record.tool.command == ["./plumbline", "run"]
    assert record.host.accel is not None
    assert (record.host.kind, record.host.accel.name) == ("sandbox", "tcg")
    (nat,) = record.topologies
    assert (nat.verdict, nat.build_s, nat.teardown_s) == ("conforms", 1.5, 0.5)
    assert [check.id for check in record.checks] == ["dhcp.lease", "reach.ping"]
    assert record.checks[1].measurements[0].samples == [0.5, 1]
    assert [claim.id for claim in record.claims] == ["NT-05", "NT-12", "NT-10"]
    assert not list((tmp_path / "output").glob(".*"))
    # What JSON says, not only what the model makes of it.
    written = json.loads((tmp_path / "output" / "run.json").read_text())
    assert written["schema"] == "plumbline/run/1"
    assert written["started"].endswith("Z")
