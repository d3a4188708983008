# SPDX-License-Identifier: GPL-2.0-or-later
"""The playbook of ci/fleet on bare hosts of two releases: each installs the pack of its group.

The hosts are Debian roots with Python, sudo and an SSH server, and a link to the playbook's machine
alone. The playbook comes as a plain user.
"""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher import libraries
from tests.bare_roots import bare_host, bare_root, pack_with_packages
from tests.fleet_playbooks import BIN, FLEET, played, report
from tests.staged_fleet import StagedFleet, staged_fleet

DEADLINE_S = 2000.0
# Of a run on a host, for a machine that is busy with other tests: a minute alone. One that hangs is
# ended by the playbook, and its output is in the playbook's.
RUN_DEADLINE_S = 1200
CLAIM = "LB-01"
OPTIONS = ["--topology", "linux-bridge", "--claim", CLAIM, "--workers", "1"]
USER = "qualifier"
# Waits for its link, then serves.
SERVER = f"""\
mkdir -p /run/sshd
useradd --create-home --shell /bin/sh {USER}
echo '{USER} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{USER}
mkdir /home/{USER}/.ssh
echo "$1" >/home/{USER}/.ssh/authorized_keys
chown -R {USER}: /home/{USER}/.ssh
echo ready
read -r joined
/usr/sbin/sshd
# It is the first process here: all ends with the input, and so with the test.
exec cat >/dev/null
"""


@contextlib.contextmanager
def member(fleet: StagedFleet, release: str, folder: Path) -> Iterator[Path]:
    """Make a bare host of a release, join it to the network, and give a pack for it."""
    with bare_root(folder, release, ["python3", "openssh-server", "sudo"]) as root:
        packed = pack_with_packages(folder, root)
        key = (fleet.folder / "key.pub").read_text().strip()
        with (
            bare_host(folder / "host", root, {}, {}) as host,
            subprocess.Popen(
                host.argv(["sh", "-ec", SERVER, "sh", key]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            ) as server,
        ):
            assert server.stdin is not None
            assert server.stdout is not None
            try:
                assert server.stdout.readline() == b"ready\n"
                fleet.join(release, server.pid)
                server.stdin.write(b"joined\n")
                server.stdin.flush()
                yield packed
            finally:
                server.kill()


@pytest.mark.host
def test_bare_hosts_of_two_releases_install_the_packs_of_their_groups(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # SSH's sockets are in it, and the path of one has 107 octets at most.
    tmp_path = tmp_path_factory.mktemp("fleet")
    records = tmp_path / "records"
    with staged_fleet(tmp_path) as fleet, contextlib.ExitStack() as stack:
        packs = {}
        for release in libraries.PYTHONS:
            (tmp_path / release).mkdir()
            packs[release] = stack.enter_context(member(fleet, release, tmp_path / release))
        groups = {
            f"of_{release}": {
                "hosts": {release: {}},
                "vars": {"plumbline_archive": str(packed)},
            }
            for release, packed in packs.items()
        }
        of_all = {
            "ansible_user": USER,
            "plumbline_become": True,
            "plumbline_environment": {},
            "plumbline_options": OPTIONS,
            "plumbline_deadline_s": RUN_DEADLINE_S,
        }
        inventory = fleet.inventory(of_all, {}, groups)
        argv = [*fleet.enter, str(BIN / "ansible-playbook"), "-i", str(inventory)]
        argv += [str(FLEET / "qualify.yml"), "-e", json.dumps({"plumbline_records": str(records)})]
        done = played(argv, tmp_path, DEADLINE_S, "*/host/upper/var/lib/plumbline/*/output")
    assert done.returncode == 0, done.stdout
    hosts = report(records)
    assert {name: host["state"] for name, host in hosts.items()} == dict.fromkeys(
        libraries.PYTHONS, "ran"
    ), done.stdout
    for name, host in hosts.items():
        assert host["claims"][CLAIM]["verdict"] == "conforms"
        assert host["groups"] == [f"of_{name}", "rack1"]
        facts = json.loads((records / name / "run.json").read_text())["host"]["facts"]
        assert f"({name})" in facts["distribution"]
