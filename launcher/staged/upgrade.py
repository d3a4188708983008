# SPDX-License-Identifier: GPL-2.0-or-later
"""What a staged host needs for an upgrade to another release, fetched before it boots.

The host has no network: the packages go into its own apt's cache, from the mirror of the machine's
apt, and its sources then name the other release. In it: `apt-get --no-download full-upgrade`.
"""

import os
from collections.abc import Callable

from launcher import debootstrap, libraries, packages, subprocess_step
from launcher.launcher_error import MissingError, UsageError
from launcher.staged.host_state import UPPER, WORK, HostState
from launcher.staged.root_folder import RELEASES

# Run in mount and process namespaces of its own: the folder of the state, the layers, the source.
FETCH = """
set -e
cd "$1"
mkdir -p root
mount -t overlay -o "lowerdir=$2,upperdir=$3,workdir=$4" overlay root
mount -t proc proc root/proc
mount --bind /dev root/dev
cp -L /etc/resolv.conf root/etc/resolv.conf
echo "$5" >root/etc/apt/sources.list
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
chroot root apt-get -q update
chroot root apt-get -q -y --download-only full-upgrade
: >root/etc/resolv.conf
umount root/dev root/proc root
rmdir root
"""


def fetch(state: HostState, release: str, progress: Callable[[str], None]) -> None:
    """Fetch what an upgrade of a host that was ready needs.

    Also the harness's libraries for the Python that the host then has.

    Raises:
        UsageError: there is no such release, or the host was never up.
        LauncherError: something could not be fetched; with the last lines.
    """
    if release not in RELEASES:
        raise UsageError(
            f"--fetch-upgrade {release}: expected one of {', '.join(RELEASES)}",
            "see docs/staged.md",
        )
    if state.is_new:
        raise UsageError(
            f"--fetch-upgrade {release}: no host was up with {state.folder} yet",
            "boot it first, without this option",
        )
    progress(f"staged host: packages of {release} from the machine's package mirror")
    source = f"deb {debootstrap.mirror()} {release} main"
    argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork"]
    argv += ["--kill-child", "--mount-proc", "sh", "-c", FETCH, "sh", str(state.folder)]
    argv += [":".join(map(str, state.layers)), UPPER, WORK, source]
    status, said = subprocess_step.run(argv, os.environ | {"PATH": packages.search_path()})
    if status != 0:
        raise MissingError(f"the packages of {release} could not be fetched; last lines:", said)
    libraries.install(release, state.folder / UPPER, libraries.BROUGHT)
