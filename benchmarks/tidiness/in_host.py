# SPDX-License-Identifier: GPL-2.0-or-later
"""Trials in the host that this process is in: a staged host, or a lab.

    python -m benchmarks.tidiness.in_host FOLDER KIND

The folder has the orders (`orders.json`) and gets the results. Ends with 3 after a trial that was
not tidy: the others are for another host. After the moment of a trial that restarts the host it
ends at once with 5, which ends the host as a power cut; the next host with the same folder judges.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.tidiness import leftovers, phases
from benchmarks.tidiness.strikes import STRIKES
from benchmarks.tidiness.trials import (
    RESULTS,
    Kill,
    Order,
    Trial,
    append,
    append_trial,
    read,
    whole_s,
)
from fixtures.host import journal
from fixtures.host.local_cleanup import LOG
from fixtures.host.snapshot.asked import Listings, ThisMachine
from fixtures.host.snapshot.host_snapshot import differences, host_snapshot
from launcher.lab import qemu

ROOT = Path(__file__).resolve().parent.parent.parent
ORDERS, PENDING = "orders.json", "pending.json"
NOT_TIDY, RESTART = 3, 5
GUARDIAN = b"fixtures.host.local_cleanup"
TAKEN_BACK_DEADLINE_S = 200.0
# Daemons and the kernel may be at it still.
SETTLED_DEADLINE_S = 15.0
CLEAN_DEADLINE_S = 200.0
POLL_S = 0.05
# A run that something happened to ends by itself.
END_DEADLINE_S = 400.0
SAID_LINES = 60
NOTHING = "nothing to clean"
# A claim of each topology whose check is over at once.
CLAIMS = {
    "nat": "NT-03",
    "isolated": "IS-01",
    "linux-bridge": "LB-02",
    "bridged": "BR-01",
    "ovs": "OV-03",
    "routed": "RT-01",
    "open": "OP-01",
    "passthrough": "PT-03",
}
# Those of a run that something happens to: its checks take a while.
MORE_CLAIMS = {"nat": ("NT-09", "NT-10", "NT-11"), "ovs": ("OV-04", "OV-06", "OV-08")}
NICS = {"lab": [f"--pf={qemu.PF}", f"--peer-nic={qemu.PEER_NIC}", f"--spare-nic={qemu.SPARE_NIC}"]}


class HostSeries:
    """The trials of one host."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.kind = folder, kind
        # What the run of the last trial has printed.
        self._said = folder / "runs.txt"
        self.results = folder / RESULTS
        self._machine = ThisMachine()

    def trials(self, orders: Sequence[Order]) -> int:
        """Make the trials; return the status to end with."""
        tidy = True
        if (self.folder / PENDING).exists():
            tidy = self._judge_restarted()
        for order in orders:
            if not tidy:
                return NOT_TIDY
            if order.restarts_host:
                self._begin_restart(order)
                return RESTART
            kill = order.kill
            tidy = self._struck(order) if kill is None else self._killed(order, kill)
        return 0 if tidy else NOT_TIDY

    def whole(self, order: Order) -> float:
        """Return the length of a whole run, which is measured if it was not before."""
        name = " ".join((order.topology, *self._claims(order)))
        known = whole_s(self.results, name)
        if known is not None:
            return known
        before, listed = self._look()
        begin = time.monotonic()
        with self._run(order, self.folder / f"whole-{name.replace(' ', '-')}") as run:
            status = run.wait()
        seconds = round(time.monotonic() - begin, 3)
        left, differs = self._settled(before, listed)
        if status != 0:
            raise SystemExit(f"a whole run of {name} ended with {status}: see {self._said}")
        entry = {"whole": name, "seconds": seconds}
        append(self.results, entry | {"left": left, "differs": differs})
        return seconds

    def _killed(self, order: Order, kill: Kill) -> bool:
        """Kill a run, or it and its guardian; return whether it was tidy."""
        length = self.whole(order)
        before, listed = self._look()
        output = self._output(order)
        begin, started = time.monotonic(), time.time()
        with self._run(order, output) as run:
            moment = self._wait_for(order, length, begin, run)
            phase = _phase(output, run)
            guardians = _children(run.pid, GUARDIAN)
            if kill.takes_guardian and not order.delay_s:
                _kill(guardians)
            run.kill()
            run.wait()
            if kill.takes_guardian and order.delay_s:
                time.sleep(order.delay_s)
                _kill(guardians)
        ended = time.monotonic()
        trial = Trial(order, self.kind, moment, length, phase)
        if not kill.takes_guardian:
            _until(lambda: not _children(None, GUARDIAN), TAKEN_BACK_DEADLINE_S)
            # An earlier trial's is older.
            since = LOG.exists() and LOG.stat().st_mtime >= started
            trial.said = LOG.read_text().splitlines() if since else []
            trial.left += self._for_clean("--dry-run")
        else:
            trial.said = self._clean()
            trial.left += self._for_clean()
        trial.taken_back_s = round(time.monotonic() - ended, 3)
        left, trial.differs = self._settled(before, listed)
        trial.left += left
        trial.record = phases.wrong_with(output)
        append_trial(self.results, trial)
        return trial.is_tidy

    def _struck(self, order: Order) -> bool:
        """Let something happen to a run, and wait for its end; return whether it was tidy."""
        strike = STRIKES[order.way]
        length = self.whole(order)
        before, listed = self._look()
        output = self._output(order)
        with strike.around(output):
            begin = time.monotonic()
            with self._run(order, output) as run:
                moment = self._wait_for(order, length, begin, run)
                trial = Trial(order, self.kind, moment, length, _phase(output, run))
                struck = time.monotonic()
                strike.strike(run)
                _until(lambda: run.poll() is not None, END_DEADLINE_S)
                trial.status = run.poll()
                run.kill()
            trial.taken_back_s = round(time.monotonic() - struck, 3)
            _until(lambda: not _children(None, GUARDIAN), TAKEN_BACK_DEADLINE_S)
        trial.left += self._for_clean("--dry-run")
        left, trial.differs = self._settled(before, listed)
        trial.left += left
        trial.record = phases.wrong_with(output)
        trial.said = self._said.read_text(errors="replace").splitlines()[-SAID_LINES:]
        trial.wrong = phases.wrong_end(output, trial.status, strike, trial.phase, trial.said)
        append_trial(self.results, trial)
        return trial.is_tidy

    def _begin_restart(self, order: Order) -> None:
        """Start a run and wait for the moment; the caller ends the host."""
        length = self.whole(order)
        before, listed = self._look()
        output = self._output(order)
        begin = time.monotonic()
        run = self._run(order, output)
        moment = self._wait_for(order, length, begin, run)
        phase = _phase(output, run)
        pending = {
            "trial": asdict(Trial(order, self.kind, moment, length, phase)),
            "before": {title: list(lines) for title, lines in before.items()},
            "listed": {kind: sorted(lines) for kind, lines in listed.items()},
        }
        draft = self.folder / f"{PENDING}.new"
        draft.write_text(json.dumps(pending))
        draft.replace(self.folder / PENDING)

    def _judge_restarted(self) -> bool:
        """Clean the host that was restarted, and judge the trial of before."""
        file = self.folder / PENDING
        pending = json.loads(file.read_text())
        trial = Trial(**(pending["trial"] | {"order": Order(**pending["trial"]["order"])}))
        begin = time.monotonic()
        trial.said = self._clean(restarted=True)
        trial.taken_back_s = round(time.monotonic() - begin, 3)
        trial.left += self._for_clean(restarted=True)
        before = {kind: set(lines) for kind, lines in pending["listed"].items()}
        # Numbers of namespaces are the kernel's, and another boot has others.
        before["network namespace"] = leftovers.listed(self.folder)["network namespace"]
        left, trial.differs = self._settled(pending["before"], before)
        trial.left += left
        trial.record = phases.wrong_with(self.folder / f"run-{trial.order.trial}")
        append_trial(self.results, trial)
        file.unlink()
        return trial.is_tidy

    def _output(self, order: Order) -> Path:
        output = self.folder / f"run-{order.trial}"
        # Of a trial that was not finished.
        shutil.rmtree(output, ignore_errors=True)
        return output

    def _run(self, order: Order, output: Path) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider"]
        argv += ["-c", f"{ROOT}/pyproject.toml", "--rootdir", str(ROOT), f"{ROOT}/suites"]
        # As the launcher starts it.
        argv += ["--plumbline-terminal", f"--host={'staged' if self.kind == 'staged' else 'local'}"]
        argv += [f"--topology={order.topology}", f"--output={output}"]
        argv += [f"--claim={claim}" for claim in self._claims(order)]
        argv += NICS.get(self.kind, []) if order.topology == "passthrough" else []
        with self._said.open("wb") as said:
            return subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )

    def _claims(self, order: Order) -> list[str]:
        # In a lab each takes minutes.
        is_long = order.kill is None and self.kind == "staged"
        more = MORE_CLAIMS.get(order.topology, ()) if is_long else ()
        return [CLAIMS[order.topology], *more]

    def _wait_for(
        self, order: Order, length: float, begin: float, run: subprocess.Popen[bytes]
    ) -> float:
        """Wait until a trial's moment, and return it in seconds."""
        _until(lambda: run.poll() is not None, begin + order.fraction * length - time.monotonic())
        return round(time.monotonic() - begin, 3)

    def _look(self) -> tuple[Listings, dict[str, set[str]]]:
        return host_snapshot(self._machine), leftovers.listed(self.folder)

    def _settled(
        self, before: Listings, listed: dict[str, set[str]]
    ) -> tuple[list[str], list[str]]:
        """Return what is left and what differs, once that is nothing, or time is over."""
        left: list[str] = []
        differs: list[str] = []

        def is_as_before() -> bool:
            now, there = self._look()
            left[:], differs[:] = leftovers.left(listed, there), differences(before, now)
            return not left and not differs

        _until(is_as_before, SETTLED_DEADLINE_S)
        return left, differs

    def _clean(self, *words: str, restarted: bool = False) -> list[str]:
        argv = [sys.executable, "-P", str(ROOT / "plumbline"), "clean", *words]
        if restarted:
            # A staged host has the machine's kernel, and so the same boot before and after.
            script = 'echo "$1" >/run/boot-id; mount --bind /run/boot-id "$2"; rm /run/boot-id'
            script += '; shift 2; exec "$@"'
            boot = (ANOTHER, str(journal.BOOT))
            argv = ["unshare", "--mount", "sh", "-ec", script, "sh", *boot, *argv]
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=CLEAN_DEADLINE_S, check=False, cwd="/"
        )
        said = (done.stdout + done.stderr).splitlines()
        return said if done.returncode == 0 else [f"clean ended with {done.returncode}:", *said]

    def _for_clean(self, *words: str, restarted: bool = False) -> list[str]:
        """Return what there is to clean (again), which is nothing."""
        said = self._clean(*words, restarted=restarted)
        return [f"clean: {line}" for line in said if line != NOTHING]


# What a kernel would say after its next start.
ANOTHER = "00000000-0000-4000-8000-000000000000"


def main(argv: Sequence[str]) -> int:
    """Make the trials of the folder's orders; see the module."""
    folder, kind = Path(argv[0]), argv[1]
    orders = [Order(**each) for each in json.loads((folder / ORDERS).read_text())]
    done = {trial.order.trial for trial in read(folder / RESULTS)}
    if (folder / PENDING).exists():
        done.add(json.loads((folder / PENDING).read_text())["trial"]["order"]["trial"])
    return HostSeries(folder, kind).trials([each for each in orders if each.trial not in done])


def _phase(output: Path, run: subprocess.Popen[bytes]) -> str:
    if run.poll() is not None:
        return phases.OVER
    return phases.phase(output, has_begun=journal.PLACE.exists())


def _until(holds: Callable[[], bool], deadline_s: float) -> None:
    end = time.monotonic() + deadline_s
    while not holds() and (rest := end - time.monotonic()) > 0:
        time.sleep(min(POLL_S, rest))


def _children(parent: int | None, word: bytes) -> list[int]:
    """Return the processes with a word in their arguments: a process's children, or all."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            owner = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if word in (entry / "cmdline").read_bytes() and parent in (None, owner):
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
