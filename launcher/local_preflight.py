# SPDX-License-Identifier: GPL-2.0-or-later
"""A run on this machine itself: what has to be said for it, and what it is not for."""

import argparse

from launcher.lab_detection import is_lab
from launcher.launcher_error import UsageError


def require(subcommand: str, options: argparse.Namespace) -> None:
    """Check what was asked of this machine; passthrough is what it is for.

    Checks of other topologies change existing objects of the machine (`fixtures.plugin.settings`
    refuses them). A lab is disposable, and may be put through anything.

    Raises:
        UsageError: it is a proof, names no NICs, or another release.
    """
    if is_lab():
        return
    if subcommand == "prove":
        raise UsageError(
            "--host local: what a fault leaves would stay on this machine",
            "./plumbline prove --host lab makes one that is thrown away",
        )
    if options.pf is None or options.peer_nic is None:
        raise UsageError(
            "--host local: say which NICs a run may use: --pf, whose functions guests get, and "
            "--peer-nic, which is on the same wire and becomes the outside's",
            "see ip -br link; ./plumbline run --host lab brings NICs of its own",
        )
    if options.release is not None:
        raise UsageError(
            f"--release {options.release}: this machine runs its own",
            "leave it out, or use --host sandbox or lab",
        )
    options.topology = options.topology or ["passthrough"]
