# SPDX-License-Identifier: GPL-2.0-or-later
"""The wires of the NICs that every host with a profile has, made by a unit before its network."""

from pathlib import Path

GUESTSIDE = Path(__file__).with_name("guestside")
UNIT = "plumbline-lan.service"


def files() -> dict[str, str]:
    """Return the unit and its program, by their paths on the host."""
    return {
        "/usr/local/sbin/plumbline-lan": (GUESTSIDE / "lan").read_text(),
        f"/etc/systemd/system/{UNIT}": (GUESTSIDE / UNIT).read_text(),
    }
