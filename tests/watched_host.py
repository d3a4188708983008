# SPDX-License-Identifier: GPL-2.0-or-later
"""A run whose uplink is the NIC of the host's default route, and what befalls it.

It is run in a staged host of `tests/test_watchdog.py`, and prints what came of it as JSON:

    python3 -m tests.watched_host ACTION OUTPUT CLAIM …
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fixtures.host.journal import PLACE
from fixtures.host.snapshot.asked import ThisMachine
from fixtures.host.snapshot.host_snapshot import differences, host_snapshot
from fixtures.host.watchdog import waited_for

ROOT = Path(__file__).resolve().parent.parent
NIC, HOST, LAN = "eth0", "10.77.0.2", ("ip", "netns", "exec", "lan")
MASTER = Path("/sys/class/net", NIC, "master")
# On a machine with other work; on an idle one a tenth of it.
DEADLINE_S = 800.0
PROGRAMS = {"guardian": "fixtures.host.local_cleanup", "watchdog": "fixtures.host.watchdog"}


def until(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.1)


def program(name: str) -> int:
    """Return the process of the run's guardian or watchdog."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            words = (entry / "cmdline").read_bytes().decode().split("\0")
            if PROGRAMS[name] in words:
                return int(entry.name)
    raise LookupError(name)


def on_lan(*argv: str) -> str:
    return subprocess.run([*LAN, *argv], check=True, capture_output=True, text=True).stdout


def kill(run: int) -> None:
    os.kill(run, signal.SIGKILL)


def kill_both(run: int) -> None:
    guardian = program("guardian")
    os.kill(guardian, signal.SIGSTOP)
    os.kill(run, signal.SIGKILL)
    os.kill(guardian, signal.SIGKILL)


def freeze(run: int) -> None:
    os.kill(run, signal.SIGSTOP)


def freeze_both(run: int) -> None:
    os.kill(program("guardian"), signal.SIGSTOP)
    os.kill(run, signal.SIGSTOP)


def cut(_run: int) -> None:
    on_lan("ip", "link", "set", "lan0", "down")


def drop(_run: int) -> None:
    rules = "table ip cut { chain in { type filter hook input priority 0; policy drop; }; }"
    on_lan("nft", rules)


def kill_watchdog(_run: int) -> None:
    os.kill(program("watchdog"), signal.SIGKILL)


ACTIONS: dict[str, Callable[[int], None]] = {
    each.__name__: each for each in (kill, kill_both, freeze, freeze_both, cut, drop, kill_watchdog)
}
MENDED = {"cut": ("ip", "link", "set", "lan0", "up"), "drop": ("nft", "delete table ip cut")}


def main(action: str, output: str, *claims: str) -> dict[str, Any]:
    before = host_snapshot(ThisMachine())
    argv = [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider"]
    argv += ["-c", f"{ROOT}/pyproject.toml", "--rootdir", str(ROOT), f"{ROOT}/suites"]
    argv += ["--host=staged", "--topology=bridged", f"--uplink={NIC}", "--peer-nic=eth1"]
    argv += ["--allow-management-uplink", f"--output={output}", "--plumbline-terminal"]
    argv += [f"--claim={claim}" for claim in claims]
    # On an idle machine the run is over before a deadline of the watchdog's.
    argv += ["--after-build=sleep 100"] if action in ACTIONS else []
    pings = subprocess.Popen(
        [*LAN, "ping", "-q", "-i", "0.01", HOST], stdout=subprocess.PIPE, text=True
    )
    found: dict[str, Any] = {}
    with subprocess.Popen(argv, stdout=sys.stderr) as run:
        if action in ACTIONS:
            until(lambda: MASTER.exists() or run.poll() is not None, "the NIC is a port")
            # Into the building of the testbed: guests are booting.
            time.sleep(5.0)
            at = time.monotonic()
            ACTIONS[action](run.pid)
            if action == "kill_watchdog":
                run.wait(DEADLINE_S)
            until(lambda: not MASTER.exists(), "the NIC is no port")
            found["port_for_s"] = time.monotonic() - at
            until(lambda: not PLACE.exists(), "everything is taken back")
            found["verdict"] = waited_for(0)
            found["taken_back_s"] = time.monotonic() - at
        found["status"] = run.wait(DEADLINE_S)
    if action in MENDED:
        on_lan(*MENDED[action])
        # A link that comes up sends once the kernel's workers come to it.
        ping = [*LAN, "ping", "-c", "1", "-W", "1", HOST]
        until(lambda: subprocess.run(ping, capture_output=True, check=False).returncode == 0, "up")
    pings.send_signal(signal.SIGINT)
    found["pings"] = pings.communicate()[0].splitlines()[-3:]
    after = host_snapshot(ThisMachine())
    end = time.monotonic() + 60.0
    while differences(before, after) and time.monotonic() < end:
        time.sleep(1.0)
        after = host_snapshot(ThisMachine())
    found["different"] = differences(before, after)
    found["reached"] = on_lan("ping", "-c", "3", "-i", "0.2", "-W", "5", HOST).splitlines()[-2]
    return found


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
