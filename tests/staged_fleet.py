# SPDX-License-Identifier: GPL-2.0-or-later
"""Staged hosts with SSH servers on one network, and on it a machine that has the playbook.

That network is a bridge in a namespace of its own: the machine of the playbook is this machine's
files in that namespace. Each host has a NIC in it, mgmt0, with an address of its own.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from launcher.staged.profile import Profile
from launcher.staged.staged_host import StagedHost
from launcher.staged.staging import CACHE, VARIABLES, StateOrder, staged

WITH_SSH = Profile(
    "ssh",
    "an SSH server on the network of the hosts",
    packages=("openssh-server",),
    masked=("ssh.service",),
)
FIRST_ADDRESS = 10
NO_GROUPS: Mapping[str, object] = MappingProxyType({})
SERVER = """\
mkdir -p -m 700 /run/sshd /root/.ssh
echo '{key}' >/root/.ssh/authorized_keys
/usr/sbin/sshd -o PidFile=/run/sshd.pid
"""


@dataclass
class StagedFleet:
    """Hosts that a playbook reaches.

    Attributes:
        folder: for keys, inventory and records.
        pid: a process in the namespace of the network.
        hosts: by name.
        addresses: by name.
    """

    folder: Path
    pid: int
    hosts: dict[str, StagedHost] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    _ends: dict[str, contextlib.ExitStack] = field(default_factory=dict)
    _boots: dict[str, tuple[str, StateOrder]] = field(default_factory=dict)

    def add(self, name: str, release: str = "bookworm", *, kept: bool = False) -> None:
        """Boot a host, and join it to the network.

        Args:
            name: its name.
            release: the release.
            kept: whether it can be restarted: what it writes is kept then.
        """
        self._boots[name] = (release, StateOrder(self.folder / f"state-{name}" if kept else None))
        self._boot(name)

    def _boot(self, name: str) -> None:
        release, state = self._boots[name]
        self._ends[name] = contextlib.ExitStack()
        host = self._ends[name].enter_context(staged(release, WITH_SSH, [], state))
        self.join(name, host.pid)
        key = (self.folder / "key.pub").read_text().strip()
        self.hosts[name] = host
        self.must(name, SERVER.format(key=key))

    def join(self, name: str, pid: int) -> str:
        """Give a host its NIC, mgmt0, and return the address on it.

        Args:
            name: its name; a host that was restarted has its address again.
            pid: a process in its network namespace.
        """
        address = self.addresses.setdefault(name, f"10.78.0.{FIRST_ADDRESS + len(self.addresses)}")
        port = f"port{address.rpartition('.')[2]}"
        self.within(
            f"ip link add {port} master fleet type veth peer name mgmt0 netns {pid}; "
            f"ip link set {port} up"
        )
        script = f"ip address add {address}/24 dev mgmt0; ip link set mgmt0 up"
        argv = ["nsenter", "--target", str(pid), "--net", "--", "sh", "-ec", script]
        subprocess.run(argv, check=True, timeout=60)
        return address

    def must(self, name: str, script: str) -> str:
        """Run shell commands on a host, and return their output."""
        done = self.hosts[name].capture(["sh", "-ec", script])
        assert done.returncode == 0, done.stdout
        return done.stdout

    def kill(self, name: str) -> None:
        """End a host as a power cut does."""
        os.kill(self.hosts[name].pid, signal.SIGKILL)

    def restart(self, name: str) -> None:
        """Boot a host again that was killed; it has what it had written."""
        self._ends[name].close()
        self._boot(name)

    def within(self, script: str) -> None:
        """Run shell commands in the namespace of the network."""
        subprocess.run([*self.enter, "sh", "-ec", script], check=True, timeout=60)

    @property
    def enter(self) -> list[str]:
        """The words that run a command in the namespace of the network."""
        return ["nsenter", "--target", str(self.pid), "--net", "--"]

    def inventory(
        self,
        of_all: Mapping[str, object],
        variables: Mapping[str, Mapping[str, object]],
        groups: Mapping[str, object] = NO_GROUPS,
    ) -> Path:
        """Write the inventory; a host may have variables of its own beside those of all.

        Args:
            of_all: variables of all hosts, before others.
            variables: of a host, by its name.
            groups: groups beside that of all hosts, as an inventory in JSON has them.
        """
        place = self.folder / "inventory.json"
        hosts = {
            name: {"ansible_host": address, **variables.get(name, {})}
            for name, address in self.addresses.items()
        }
        shared = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.folder / "key"),
            "ansible_ssh_extra_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            # A staged host has no sudo, and its cache is seen from this machine.
            "plumbline_become": False,
            "plumbline_environment": {**VARIABLES, "PLUMBLINE_CACHE": str(CACHE)},
            **of_all,
        }
        place.write_text(json.dumps({"rack1": {"hosts": hosts, "vars": shared}, **groups}))
        return place

    def close(self) -> None:
        """End all hosts."""
        for end in self._ends.values():
            end.close()


@contextlib.contextmanager
def staged_fleet(folder: Path) -> Iterator[StagedFleet]:
    """Make the network, for hosts to be added to; on leaving all is gone.

    Args:
        folder: for keys, inventory and records.
    """
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    # It ends with this process: its standard input does.
    argv = ["unshare", "--net", "sh", "-c", "echo ready; exec cat"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as network:
        assert network.stdin is not None
        assert network.stdout is not None
        fleet = StagedFleet(folder, network.pid)
        try:
            assert network.stdout.readline() == b"ready\n"
            fleet.within(
                "ip link set lo up; ip link add fleet type bridge; ip link set fleet up; "
                "ip address add 10.78.0.1/24 dev fleet"
            )
            yield fleet
        finally:
            fleet.close()
            network.stdin.close()
