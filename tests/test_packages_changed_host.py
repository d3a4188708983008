# SPDX-License-Identifier: GPL-2.0-or-later
"""A host whose packages change: its nightly unit starts, and apt's hook asks a pipeline for a run.

Real apt, dpkg and systemd of a staged host. A stand-in of ci/qualify notes that it was started, and
a small server takes the place of Jenkins.
"""

import pytest

from launcher import gate_unit
from launcher.staged import profile, root_folder
from launcher.staged.staged_host import StagedHost
from launcher.staged.staging import staged
from tests.launched import ROOT

DEADLINE_S = 120.0
HOST = profile.Profile(name="packages", text="a host whose packages change")
# What a night does here: says whether dpkg's lock is free, and what is left of the package.
QUALIFY = """\
#!/usr/bin/python3
import fcntl, subprocess
with open("/var/lib/dpkg/lock-frontend", "a") as lock:
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = "free"
    except BlockingIOError:
        free = "held"
query = ["dpkg-query", "-W", "-f${db:Status-Status}", "arptables"]
show = subprocess.run(query, capture_output=True)
with open("/root/nights", "a") as nights:
    print(free, show.stdout.decode() or "gone", file=nights)
"""
# As Jenkins answers; one request, then it ends.
SERVER = """\
import http.server
class Jenkins(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        print(self.path, body, file=open("/root/asked", "a"))
        self.send_response(201)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", 8080), Jenkins).handle_request()
"""
SETTINGS = """\
[jenkins]
job = http://127.0.0.1:8080/job/plumbline
user = bot
token = 3
host = kvm
"""
# apt holds its lock until the path unit has seen the change: a night has to wait for it.
HOLD = """\
DPkg::Post-Invoke {
"until [ $(systemctl is-active plumbline-packages.service) = activating ]; do :; done";
};
"""
# Whether the unit that starts a night was let through when it was last started.
CONDITION = "systemctl show --value -p ConditionResult plumbline-packages.service"
UNITS = "plumbline-packages.service plumbline-nightly.service"
BUSY = (
    f"{{ systemctl list-units --state=activating {UNITS}; systemctl list-jobs {UNITS}; }} "
    "| grep -q plumbline-"
)
SOON = f"""\
cp {ROOT}/ci/systemd/plumbline-nightly.timer /etc/systemd/system/
mkdir /etc/systemd/system/plumbline-nightly.timer.d
printf '[Timer]\\nOnCalendar=\\nOnActiveSec=1s\\nRandomizedDelaySec=0\\nPersistent=false\\n' \\
    >/etc/systemd/system/plumbline-nightly.timer.d/soon.conf
systemctl daemon-reload
systemctl enable --now plumbline-nightly.timer
"""
INSTALLED = f"""\
mkdir -p /opt/plumbline/ci /etc/plumbline
cp -r {ROOT}/ci/apt /opt/plumbline/ci/
cd {ROOT}/ci/systemd
cp plumbline-nightly.service plumbline-packages.service plumbline-packages.path /etc/systemd/system/
cp {ROOT}/ci/apt/99plumbline /etc/apt/apt.conf.d/
systemctl daemon-reload
systemctl enable --now plumbline-packages.path
systemd-run --quiet --unit jenkins python3 /root/server.py
until ss -ltn | grep -q :8080; do :; done
"""


def must(host: StagedHost, script: str) -> str:
    done = host.capture(["sh", "-ec", script], deadline_s=DEADLINE_S)
    assert done.returncode == 0, done.stdout
    return done.stdout


def put(host: StagedHost, path: str, text: str, mode: str) -> None:
    must(host, f"cat >{path} <<'END'\n{text}END\nchmod {mode} {path}")


@pytest.mark.staged
def test_its_night_starts_once_apt_is_done_and_the_hook_asks_a_pipeline() -> None:
    with staged(root_folder.DEFAULT, HOST, []) as host:
        put(host, "/root/server.py", SERVER, "0600")
        must(host, INSTALLED)
        put(host, "/opt/plumbline/ci/qualify", QUALIFY, "0755")
        put(host, "/etc/plumbline/packages-changed.conf", SETTINGS, "0600")
        put(host, "/etc/apt/apt.conf.d/00hold", HOLD, "0644")
        said = must(host, "apt-get -y purge arptables")
        assert "packages_changed.py: jenkins was asked to qualify kvm" in said
        asked = must(host, "cat /root/asked")
        assert asked == "/job/plumbline/buildWithParameters ONLY_HOST=kvm\n"
        must(host, "until [ -s /root/nights ]; do :; done")
        assert must(host, "cat /root/nights") in {"free gone\n", "free not-installed\n"}

        # Without the server apt ends well all the same, and says what was wrong.
        must(host, "rm /etc/apt/apt.conf.d/00hold")
        said = must(host, "apt-get -y purge bridge-utils 2>&1")
        assert "packages_changed.py: jenkins was not asked: " in said
        must(host, "until [ $(wc -l </root/nights) = 2 ]; do :; done")

        # While the gate waits for its own run, neither way starts anything.
        must(host, f"touch {gate_unit.FILE}")
        said = must(host, "apt-get -y purge iperf3 2>&1")
        assert "packages_changed.py" not in said
        must(host, f"until [ $({CONDITION}) = no ]; do :; done")
        assert must(host, "wc -l </root/nights") == "2\n"

        # And afterwards both do again.
        must(host, f"rm {gate_unit.FILE}")
        said = must(host, "apt-get -y purge ethtool 2>&1")
        assert "packages_changed.py: jenkins was not asked: " in said
        must(host, "until [ $(wc -l </root/nights) -ge 3 ]; do :; done")
        assert must(host, CONDITION) == "yes\n"

        # The timer starts a night, too; its time of the day is that of tests/test_systemd_units.py.
        must(host, "systemctl stop plumbline-packages.path")
        must(host, f"while {BUSY}; do :; done")
        nights = int(must(host, "wc -l </root/nights"))
        must(host, SOON)
        must(host, f"until [ $(wc -l </root/nights) = {nights + 1} ]; do :; done")
