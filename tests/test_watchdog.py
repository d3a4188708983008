# SPDX-License-Identifier: GPL-2.0-or-later
"""An uplink that carries the management path: kept through a run, and back whatever happens.

The host is a staged one, whose router on the LAN is the far end of the path.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from contracts.exit_codes import EXIT_UNDECIDED, EXIT_USAGE
from contracts.verdicts import NOT_DECIDED, Verdict
from fixtures.host import watchdog
from fixtures.host.path_probe import PathProbe, PathTarget, answers, probe_of
from launcher import watched_run
from launcher.staged import profile
from launcher.staged.staging import VARIABLES, staged
from reports.record import Check, RunRecord, Tool, TopologyRecord
from reports.recording.cut_off import cut_off
from tests.launched import ROOT, launched

# The LAN is a switch, with the router on it, and eth1 is another NIC on that switch.
ON_ONE_SWITCH = '''
text = "eth0, its router and eth1 on one switch"
commands = ["""
ip link set eth2 netns lan
ip -n lan link add sw type bridge
ip -n lan address delete 10.77.0.1/24 dev lan0
for port in lan0 eth2; do ip -n lan link set $port master sw up; done
ip -n lan link set sw up
ip -n lan address add 10.77.0.1/24 dev sw
"""]

[files]
"/etc/network/interfaces" = """
auto lo eth0
iface lo inet loopback
iface eth0 inet static
    address 10.77.0.2/24
    gateway 10.77.0.1
"""
'''
PATH = "the management path to 10.77.0.1 (the router of the default route)"
ALLOWED = ("--uplink=eth0", "--peer-nic=eth1", "--allow-management-uplink")
# On an idle machine a tenth of it.
DEADLINE_S = 900.0
# A run whose process is gone: by itself, or by the watchdog within its own deadlines. What each
# comes to is taken back a second later; the machine may be busy.
AT_ONCE_S, SLACK_S = 0.0, 20.0
ENDS = {
    "kill": ("the run was killed", AT_ONCE_S),
    "kill_both": ("the run was killed", AT_ONCE_S),
    "freeze": (f"the run gave no sign of life for {watchdog.FROZEN_S:g} s", watchdog.FROZEN_S),
    "freeze_both": (f"the run gave no sign of life for {watchdog.FROZEN_S:g} s", watchdog.FROZEN_S),
    "cut": (f"{PATH} did not answer for 15 s", 15.0),
    "drop": (f"{PATH} did not answer for 15 s", 15.0),
}
CUT = {"cut", "drop"}


@pytest.fixture
def switched(tmp_path: Path) -> profile.Profile:
    file = tmp_path / "switched.toml"
    file.write_text(ON_ONE_SWITCH)
    return profile.load(str(file))


def befallen(wanted: profile.Profile, action: str, *claims: str) -> tuple[dict[str, Any], Any]:
    """Return what came of a run that something befell, and its record."""
    argv = ["python3", "-P", "-m", "tests.watched_host", action, "/run/run", *claims]
    with staged("bookworm", wanted, []) as host:
        done = host.capture(argv, VARIABLES | {"PYTHONPATH": str(ROOT)}, DEADLINE_S)
        assert done.returncode == 0, done.stdout
        record = host.capture(["cat", "/run/run/run.json"], VARIABLES)
    return json.loads(done.stdout.splitlines()[-1]), json.loads(record.stdout)


@pytest.mark.staged
@pytest.mark.parametrize("action", ENDS)
def test_the_host_has_its_nic_back_and_is_reached(switched: profile.Profile, action: str) -> None:
    found, record = befallen(switched, action, "BR-01", "BR-02", "BR-03")
    reason, after_s = ENDS[action]
    state = "does not answer" if action in CUT else "answers"
    assert found["verdict"] == f"{reason}: everything was taken back; {PATH} {state}"
    assert found["status"] == -signal.SIGKILL
    assert after_s - 2.0 < found["port_for_s"] < after_s + SLACK_S
    assert found["different"] == []
    assert "3 received" in found["reached"]
    # The record is complete, and says so.
    assert record["finished"] is not None
    assert record["ended_with"] == EXIT_UNDECIDED
    reasons = {check["reason"] for check in record["checks"] if check["verdict"] == "error"}
    assert reasons == {found["verdict"]}


@pytest.mark.staged
def test_a_run_keeps_the_path(switched: profile.Profile) -> None:
    claims = ("BR-01", "BR-02", "BR-03", "BR-06", "BR-07", "BR-08")
    found, record = befallen(switched, "nothing", *claims)
    assert found["status"] == 0
    verdicts = {each["id"]: each["verdict"] for each in record["claims"]}
    assert verdicts == dict.fromkeys((*claims, "HR-01"), "conforms")
    assert found["different"] == []
    # "4055 packets transmitted, 4055 received, 0% packet loss, time 72502ms"; 100 in a second, and
    # the addresses move twice within a millisecond or two.
    [summary] = [line for line in found["pings"] if "packets transmitted" in line]
    sent, received = (int(word) for word in summary.split() if word.isdigit())
    assert sent > 500, summary
    assert sent - received <= 2, summary


@pytest.mark.staged
def test_a_run_without_its_watchdog_is_interrupted(switched: profile.Profile) -> None:
    found, _ = befallen(switched, "kill_watchdog", "BR-01")
    assert found["status"] not in (0, -signal.SIGKILL)
    assert found["different"] == []
    assert "3 received" in found["reached"]


@pytest.mark.staged
def test_the_launcher_shows_why_the_run_was_ended(
    switched: profile.Profile, tmp_path: Path
) -> None:
    words = ["--host", "staged", "--profile", str(switched.file), "--topology", "bridged", *ALLOWED]
    words += ["--claim", "BR-01", "--after-build", "ip -n lan link set lan0 down; sleep 60"]
    done, record = launched("run", tmp_path / "run", *words)
    verdict = f"{PATH} did not answer for 15 s: everything was taken back; {PATH} does not answer"
    assert done.returncode == EXIT_UNDECIDED, done.stdout + done.stderr
    assert f"plumbline: {verdict}" in done.stderr
    assert {check["reason"] for check in record["checks"]} == {verdict}


REFUSED = {
    "not allowed": (
        ALLOWED[:2],
        "--uplink eth0: it carries the default route",
    ),
    "no answer": (
        (*ALLOWED, "--management-path=10.77.0.99"),
        "--uplink eth0: the management path to 10.77.0.99 (--management-path) does not answer ICMP",
    ),
    "no answer by TCP": (
        (*ALLOWED, "--management-path=10.77.0.99:22"),
        "--uplink eth0: the management path to 10.77.0.99:22 (--management-path) does not answer "
        "TCP",
    ),
    "another way": (
        (*ALLOWED, "--management-path=127.0.0.1"),
        "it is in use, and the way to 127.0.0.1 (--management-path) is over lo",
    ),
    "no address": (
        (*ALLOWED, "--management-path=router"),
        "--management-path router: expected an IP address, with a port or without",
    ),
    "nothing to watch": (
        ("--allow-management-uplink",),
        "--allow-management-uplink is for --uplink NIC",
    ),
    "a path for nothing": (
        (*ALLOWED[:2], "--management-path=10.77.0.1"),
        "--management-path is for --allow-management-uplink",
    ),
}
# Each with the plan alone, and without a plan the first, which is refused where a topology begins.
TRY = """
import json, subprocess, sys
from pathlib import Path
argv = [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", "-c", sys.argv[1]]
argv += ["--rootdir", str(Path(sys.argv[1]).parent), str(Path(sys.argv[1]).parent / "suites")]
argv += ["--host=staged", "--topology=bridged", "--topology=bridged-ovs", "--topology=nat"]
found = {}
for name, words in json.loads(sys.argv[2]).items():
    done = subprocess.run([*argv, *words], capture_output=True, text=True)
    found[name] = (done.returncode, done.stdout + done.stderr)
print(json.dumps(found))
"""


@pytest.mark.staged
def test_refusals_are_one_message_and_the_plan_says_what_moves(switched: profile.Profile) -> None:
    tried = {name: [*words, "--plan"] for name, (words, _) in REFUSED.items()}
    tried["not allowed"] = [*ALLOWED[:2], "--claim=BR-01", "--output=/run/refused"]
    tried["plan"] = [*ALLOWED, "--plan"]
    tried["by TCP"] = [*ALLOWED, "--management-path=10.77.0.1:9", "--plan"]
    argv = ["python3", "-c", TRY, f"{ROOT}/pyproject.toml", json.dumps(tried)]
    with staged("bookworm", switched, []) as host:
        done = host.capture(argv, VARIABLES | {"PYTHONPATH": str(ROOT)}, DEADLINE_S)
    found = json.loads(done.stdout.splitlines()[-1])
    for name, (_, message) in REFUSED.items():
        status, said = found[name]
        assert message in said, name
        assert status == (EXIT_UNDECIDED if name == "not allowed" else EXIT_USAGE), said
    # A port that refuses the connection answers, too.
    assert found["by TCP"][0] == 0, found["by TCP"]
    status, said = found["plan"]
    assert status == 0
    bridged, ovs, nat = said.split("\n\n")[1:]
    assert f"{PATH}, which eth0 carries, moves to bridge plumb1-br0" in bridged
    assert "takes everything back after 15 s without an answer" in bridged
    # No DHCP server of the run's is on that wire.
    assert "guest plumb1-kvm1, 52:54:00:da:c3:dc, 10.213.0.100/24" in bridged
    assert "it takes the host's address off the bridge, and eth0 carries" in bridged
    assert "bridged-ovs: 0 of " in ovs
    assert "depend on a daemon, ovs-vswitchd" in ovs
    assert f"{PATH}, which eth0 carries, stays" in nat


@pytest.mark.parametrize(
    ("word", "target"),
    [
        ("192.0.2.7", PathTarget("192.0.2.7")),
        ("192.0.2.7:22", PathTarget("192.0.2.7", 22)),
        ("2001:db8::7", PathTarget("2001:db8::7")),
        ("[2001:db8::7]:22", PathTarget("2001:db8::7", 22)),
    ],
)
def test_a_target_is_an_address_with_a_port_or_without(word: str, target: PathTarget) -> None:
    assert PathTarget.of(word) == target


@pytest.mark.parametrize("word", ["router", "192.0.2.7:", "192.0.2.7:0", "192.0.2.7:ssh", "[::1]"])
def test_anything_else_is_no_target(word: str) -> None:
    with pytest.raises(ValueError, match="expected an IP address"):
        PathTarget.of(word)


@pytest.mark.host
@pytest.mark.parametrize("word", ["127.0.0.1", "::1", "127.0.0.1:9", "[::1]:9"])
def test_loopback_answers(word: str) -> None:
    target = PathTarget.of(word)
    with probe_of(target, target.address) as probe:
        assert answers(probe, 5.0, 0.2)


@pytest.mark.host
def test_an_address_that_the_host_does_not_have_gets_no_answer() -> None:
    with probe_of(PathTarget.of("127.0.0.1"), "192.0.2.1") as probe:
        assert not answers(probe, 0.5, 0.2)


class Silent(PathProbe):
    """A path that answers once something was taken back so many times; 0: at once; None: never."""

    means = "a test"

    def __init__(self, tries: int | None) -> None:
        super().__init__(PathTarget("192.0.2.7"), "192.0.2.1")
        self.tries = tries
        self.taken_down = 0

    def send(self) -> None:
        """See `PathProbe.send`."""

    def sockets(self) -> list[socket.socket]:
        """See `PathProbe.sockets`."""
        return []

    def wait(self, deadline_s: float) -> None:
        """See `PathProbe.wait`."""
        time.sleep(deadline_s)

    def answered(self) -> bool:
        """See `PathProbe.answered`."""
        return self.tries is not None and self.taken_down >= self.tries


@pytest.mark.parametrize(
    ("tries", "said"),
    [
        (0, ["the topology is down, and the path answers"]),
        (
            2,
            [
                *["the path does not answer yet", "taken back once more"] * 2,
                "the topology is down, and the path answers",
            ],
        ),
    ],
    ids=["at once", "after two tries"],
)
def test_it_stays_until_the_path_answers(
    monkeypatch: pytest.MonkeyPatch, tries: int, said: list[str]
) -> None:
    watching, probe = stays(monkeypatch, tries, stay_s=60.0)
    assert list(watching.stay()) == said
    assert watching.is_back
    assert probe.taken_down == tries


def test_it_does_not_stay_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    watching, probe = stays(monkeypatch, None, stay_s=0.2)
    assert list(watching.stay())[-1] == "the topology is down, and the path does not answer"
    assert not watching.is_back
    assert probe.taken_down > 0


def stays(
    monkeypatch: pytest.MonkeyPatch, tries: int | None, stay_s: float
) -> tuple[watchdog.Watchdog, Silent]:
    """Return a watchdog whose topology is down, with a journal that has a change left."""
    probe = Silent(tries)

    def take_down(journal: object) -> Iterator[str]:
        assert journal == "the rest"
        probe.taken_down += 1
        yield "taken back once more"

    monkeypatch.setattr(watchdog, "load", lambda: "the rest")
    monkeypatch.setattr(watchdog, "take_down", take_down)
    monkeypatch.setattr(watchdog, "STAY_S", stay_s)
    monkeypatch.setattr(watchdog, "AGAIN_S", 0.05)
    monkeypatch.setattr(watchdog, "INTERVAL_S", 0.01)
    watch = watchdog.Watch("192.0.2.7", "192.0.2.1", "the path", 15.0, -1, -1, "")
    return watchdog.Watchdog(watch, probe), probe


def test_a_record_that_was_cut_off_says_why() -> None:
    decided = Check(
        id="a", claims=["BR-01"], topology="bridged", verdict=Verdict.CONFORMS, rerun="x"
    )
    undecided = decided.model_copy(
        update={"id": "b", "verdict": Verdict.INCONCLUSIVE, "reason": NOT_DECIDED}
    )
    record = RunRecord(
        id=uuid4(),
        started=datetime.now(UTC),
        tool=Tool(version="0", commit=None, dirty=False, command=["./plumbline", "run"]),
        topologies=[TopologyRecord(name="bridged", verdict=Verdict.CONFORMS)],
        checks=[decided, undecided],
    )
    ended = cut_off(record, "the path did not answer")
    assert [(each.verdict, each.reason) for each in ended.checks] == [
        (Verdict.CONFORMS, None),
        (Verdict.ERROR, "the path did not answer"),
    ]
    assert ended.topologies[0].verdict is Verdict.ERROR
    assert ended.finished is not None
    assert ended.ended_with == ended.exit_code() == EXIT_UNDECIDED


SSH = """
from fixtures.host.management_path import ssh_client
print(ssh_client())
"""


@pytest.mark.parametrize(
    ("connection", "client"),
    [
        ("192.0.2.7 51234 198.51.100.2 22", "192.0.2.7"),
        ("fe80::1%eth0 5 fe80::2%eth0 22", "fe80::1"),
    ],
)
def test_the_client_of_the_session_is_known_behind_sudo(connection: str, client: str) -> None:
    """As sudo does, a process in between takes the variable out of the environment."""
    inner = 'env -u SSH_CONNECTION PYTHONPATH="$1" "$0" -c "$2"; true'
    done = subprocess.run(
        ["sh", "-c", inner, sys.executable, str(ROOT), SSH],
        env={**os.environ, "SSH_CONNECTION": connection},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == client


KILLED = "import os; os.kill(os.getpid(), 9)"


@pytest.mark.parametrize(("age_s", "status"), [(0, EXIT_UNDECIDED), (-60, 128 + signal.SIGKILL)])
def test_a_verdict_is_of_this_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age_s: int, status: int
) -> None:
    """The log of an earlier watchdog is not taken for one of this run."""
    monkeypatch.setattr(watchdog, "LOG", tmp_path / "log")
    monkeypatch.setattr(watchdog, "ALIVE", tmp_path / "lock")
    began = time.time() - 1
    (tmp_path / "log").write_text(f"2026-01-01 00:00:00 UTC {watchdog.TOOK_BACK}it was\n")
    (tmp_path / "lock").touch()
    os.utime(tmp_path / "log", (began + 1 + age_s, began + 1 + age_s))
    done = subprocess.Popen([sys.executable, "-c", KILLED])
    assert done.wait() == -signal.SIGKILL
    assert watched_run.ended(done.returncode, watchdog.waited_for(began)) == status
