# SPDX-License-Identifier: GPL-2.0-or-later
"""A run on a staged host, during which a guest of somebody else's pings and streams without end."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from launcher.staged.profile import Profile
from launcher.staged.staging import VARIABLES, staged
from tests.launched import ROOT

# The router on the wire of the host's own NIC: the guest's packets are forwarded and translated, or
# pass a bridge.
ROUTER = "10.77.0.1"
START = f"""
ping -q -i 0.02 {ROUTER} >/run/pings 2>&1 & echo $! >/run/ping.pid
iperf3 -c {ROUTER} -b 200K -t 36000 >/run/stream 2>&1 & echo $! >/run/stream.pid
"""
# Each answer has its second; the stream is alive until it is ended.
STOP = """
kill -0 "$(cat /run/stream.pid)" && streaming=true
sleep 1; kill -INT "$(cat /run/ping.pid)"; sleep 1
kill -INT "$(cat /run/stream.pid)"
echo "streaming: ${streaming:-false}"; cat /run/pings
"""
# Run in the host, where the guest is reached.
WATCHED = f"""
import subprocess, sys
from fixtures.guest.bystander import reached
from fixtures.host.staged import StagedHost
host = StagedHost()
with host.background(["ip", "netns", "exec", "lan", "iperf3", "-s"]), reached(host) as guest:
    guest.run(["sh", "-c", {START!r}], deadline_s=60)
    argv = [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", *sys.argv[1:]]
    run = subprocess.run(argv, stdout=sys.stderr)
    print(guest.run(["sh", "-c", {STOP!r}], deadline_s=60).stdout)
host.close()
sys.exit(run.returncode)
"""


@dataclass(frozen=True)
class Undisturbed:
    """A run, and what became of the guest's packets meanwhile.

    Attributes:
        status: the run's exit code.
        said: what was printed.
        verdicts: of its checks, by their ids.
        sent: the guest's pings.
        received: their answers.
        streams: whether its TCP stream was alive at the end.
    """

    status: int
    said: str
    verdicts: Mapping[str, str]
    sent: int
    received: int
    streams: bool

    @property
    def is_undisturbed(self) -> bool:
        """Whether nothing was lost: the last ping is on its way."""
        return self.streams and self.sent - self.received <= 1


def run_beside(
    release: str, profile: Profile, words: Sequence[str], deadline_s: float
) -> Undisturbed:
    """Make a run on a staged host whose guest sends 50 pings a second and holds a TCP stream.

    Args:
        release: the host's.
        profile: the host's, with a guest.
        words: options of the run.
        deadline_s: until its end.
    """
    argv = ["-c", f"{ROOT}/pyproject.toml", "--rootdir", str(ROOT), f"{ROOT}/suites"]
    argv += ["--host=staged", "--output=/run/run", *words]
    with staged(release, profile, []) as host:
        done = host.capture(
            ["python3", "-c", WATCHED, *argv],
            VARIABLES | {"PYTHONPATH": str(ROOT)},
            deadline_s=deadline_s,
        )
        record = host.capture(["cat", "/run/run/run.json"], VARIABLES)
    # 1234 packets transmitted, 1234 received, 0% packet loss, time 24680ms
    [summary] = [line for line in done.stdout.splitlines() if "packets transmitted" in line]
    sent, received = (int(word) for word in summary.split() if word.isdigit())
    return Undisturbed(
        done.returncode,
        done.stdout,
        {check["id"]: check["verdict"] for check in json.loads(record.stdout)["checks"]},
        sent,
        received,
        "streaming: true" in done.stdout,
    )
