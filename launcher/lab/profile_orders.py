# SPDX-License-Identifier: GPL-2.0-or-later
"""The orders for a lab that is a host with a profile: what makes it one, in the folder of its job.

`guestside/start-with-profile` and `guestside/after-start` carry them out.
"""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from launcher.pytest_command import ROOT
from launcher.staged import own_files, wires
from launcher.staged.profile import Profile

GUESTSIDE = Path(__file__).with_name("guestside")
RUN = "plumbline-run.service"
# Logins, and what cares for a machine that goes on for days: they take CPU time, which is short
# under TCG.
MASKED = (
    *("getty@tty1.service", "serial-getty@ttyS0.service"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "logrotate.timer"),
    *("e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer"),
)


def write(folder: Path, profile: Profile, release: str, environment: Mapping[str, str]) -> None:
    """Write the orders.

    Args:
        folder: the job's.
        profile: the profile.
        release: the release on the lab's disk, for its host name.
        environment: of the program that boots the profile's guest.
    """
    orders = {
        "hostname": f"{profile.name}-{release}",
        "files": {
            **wires.files(),
            f"/etc/systemd/system/{RUN}": (GUESTSIDE / RUN).read_text(),
            **profile.files,
        },
        "masked": own_files.masks(MASKED, profile.masked, profile.enabled, profile.files),
        "enabled": [wires.UNIT, RUN, *profile.enabled],
    }
    (folder / "profile.json").write_text(json.dumps(orders))
    own = Path(own_files.__file__)
    for file in (own, GUESTSIDE / "after-start"):
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "start").write_bytes((GUESTSIDE / "start-with-profile").read_bytes())
    commands = folder / "commands"
    commands.mkdir()
    for number, command in enumerate(profile.commands):
        (commands / f"{number:03}").write_text(f"{command}\n")
    if profile.bystander:
        settings = [f"{k}={v}" for k, v in {**environment, "PYTHONPATH": str(ROOT)}.items()]
        words = ["python3", "-P", "-m", "fixtures.guest.bystander", profile.bystander, "auto"]
        (folder / "bystander").write_text(f"exec {shlex.join(['env', *settings, *words])}\n")
