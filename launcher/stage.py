# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline stage`: boots a staged host, and runs a command in it."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from launcher.arguments import Parser, split_at_dashes

EXAMPLES = (
    ("sudo ./plumbline stage", "a shell in a Debian 12 with libvirt's default network up"),
    ("sudo ./plumbline stage --release trixie -- virsh list", "a command in a Debian 13"),
    ("sudo ./plumbline stage --profile mine.toml", "a host of your own: docs/staged.md"),
)
SHELL = ("bash", "-i")


def parser() -> Parser:
    """Return the parser of `stage`."""
    own = Parser("stage", "Boot a host in namespaces, and run a command in it.", EXAMPLES)
    own.add_argument("--profile", default="plain", metavar="NAME|FILE", help="the host's profile")
    own.add_argument("--release", default="bookworm", metavar="NAME", help="bookworm or trixie")
    own.add_argument(
        "--writable",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="a folder of this machine that the host may write to; repeatable",
    )
    return own


def main(argv: Sequence[str]) -> int:
    """Boot, run the command after `--` (a shell without one), and return its exit status."""
    own, command = split_at_dashes(argv)
    options = parser().parse(own)
    # Imported here: --help needs none of it.
    from launcher import seen_folders, setup
    from launcher.progress import Progress
    from launcher.pytest_command import ROOT
    from launcher.staged import profile, root_folder, staged_host

    setup.require_root("stage")
    release = root_folder.require_known(options.release)
    wanted = profile.load(options.profile)
    wanted.require(release)
    setup.ensure(staged=root_folder.cached(release, wanted) is None)
    progress = Progress()
    layers = root_folder.ensure(release, wanted, progress)
    here = Path.cwd()
    seen = {ROOT} if seen_folders.is_own(here) else {ROOT, here}
    with staged_host.booted(layers, wanted, f"{wanted.name}-{release}") as host:
        for folder in sorted(seen):
            host.share(folder)
        for folder in options.writable:
            host.share(folder.resolve(), writable=True)
        progress(f"staged host: {release}, profile {wanted.name}; it is ready")
        folder = here if here in seen else Path("/")
        with _interrupts_ignored():
            return subprocess.run(
                host.argv(command or SHELL, {"TERM": os.environ.get("TERM", "dumb")}, folder),
                check=False,
            ).returncode


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Leave a terminal's Ctrl-C to the command."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
