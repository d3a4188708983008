# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest of somebody else's goes on undisturbed while a run is at work on its host."""

import json

import pytest

from launcher.staged import profile
from launcher.staged.staging import VARIABLES, staged
from tests.launched import ROOT

# On an idle machine a tenth of it.
DEADLINE_S = 1500.0
# What the run builds and breaks beside it: rules, a bridge with an uplink, a switch.
WORDS = [
    *(f"--topology={name}" for name in ("nat", "linux-bridge", "bridged")),
    *(f"--claim={claim}" for claim in ("NT-10", "NT-11", "NT-14", "LB-08", "BR-06", "GN-06")),
]
# The router on the wire of the host's own NIC: the guest's packets are forwarded and translated.
ROUTER = "10.77.0.1"
START = f"""
ping -q -i 0.02 {ROUTER} >/run/pings 2>&1 & echo $! >/run/ping.pid
iperf3 -c {ROUTER} -b 200K -t 3600 >/run/stream 2>&1 & echo $! >/run/stream.pid
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


@pytest.mark.staged
def test_no_ping_and_no_stream_of_it_is_lost() -> None:
    pytest_words = ["-c", f"{ROOT}/pyproject.toml", "--rootdir", str(ROOT), f"{ROOT}/suites"]
    run = [*pytest_words, "--host=staged", "--output=/run/run", *WORDS]
    with staged("bookworm", profile.load("plain"), []) as host:
        done = host.capture(
            ["python3", "-c", WATCHED, *run],
            VARIABLES | {"PYTHONPATH": str(ROOT)},
            deadline_s=DEADLINE_S,
        )
        record = host.capture(["cat", "/run/run/run.json"], VARIABLES)
    assert done.returncode == 0, done.stdout
    verdicts = {check["id"]: check["verdict"] for check in json.loads(record.stdout)["checks"]}
    assert verdicts["host_as_it_was.host_is_as_it_was"] == "conforms"
    assert "streaming: true" in done.stdout, done.stdout
    # 1234 packets transmitted, 1234 received, 0% packet loss, time 24680ms
    [summary] = [line for line in done.stdout.splitlines() if "packets transmitted" in line]
    sent, received = (int(word) for word in summary.split() if word.isdigit())
    # The run takes more than a minute. The last one is on its way.
    assert sent > 1000, summary
    assert sent - received <= 1, summary
