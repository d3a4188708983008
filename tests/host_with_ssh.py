# SPDX-License-Identifier: GPL-2.0-or-later
"""A staged host with an SSH server in the namespace at the other end of its wires."""

import tempfile

from launcher.staged import profile
from launcher.staged.staged_host import StagedHost
from launcher.staged.staging import VARIABLES

WITH_SSH = profile.Profile(
    "ssh",
    "an SSH server in the namespace at the other end of eth0's wire",
    packages=("openssh-server",),
    masked=("ssh.service",),
)
# The namespace has the host's files: its user root, its keys, its temporary folder.
SERVER = """\
ip address add 10.77.0.2/24 dev eth0; ip link set eth0 up
mkdir -p -m 700 /run/sshd /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
useradd --create-home guest
install -d -o guest /home/guest/.ssh
install -o guest /root/.ssh/authorized_keys /home/guest/.ssh/authorized_keys
ip netns exec lan /usr/sbin/sshd -o PidFile=/run/sshd.pid
until ssh-keyscan 10.77.0.1 >/root/.ssh/known_hosts 2>/dev/null && [ -s /root/.ssh/known_hosts ]
do :; done
"""
DEADLINE_S = 120.0
FOLDERS = f"{tempfile.gettempdir()}/plumbline."
# Beside the namespace's own DHCP server.
LEFT = f"""\
ls -d {FOLDERS}* 2>/dev/null
ip netns pids lan | xargs -r ps -o args= -p | grep -v -e '^sshd: ' -e sbin/sshd -e '^dnsmasq '
"""


def must(host: StagedHost, script: str) -> str:
    done = host.capture(["sh", "-ec", script], VARIABLES, DEADLINE_S)
    assert done.returncode == 0, done.stdout
    return done.stdout


def left(host: StagedHost) -> str:
    """The folders and processes of a run on the other machine."""
    return host.capture(["sh", "-c", LEFT], VARIABLES).stdout
