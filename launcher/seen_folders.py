# SPDX-License-Identifier: GPL-2.0-or-later
"""The folders of this machine that a host with a root of its own sees by their own paths."""

import argparse
from pathlib import Path

from launcher.launcher_error import UsageError
from topologies import cli_names, host_files

# Their content belongs to the host's release; this machine's folders do not cover it.
OWN_FOLDERS = ("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "usr")
OWN_IN_VAR = ("cache", "lib", "log", "lib/libvirt", "lib/openvswitch")


def named(options: argparse.Namespace) -> set[Path]:
    """Return the folders of this machine with files that a run's options name.

    The files' names become absolute, and the current folder is one of them.

    Raises:
        UsageError: the host has its own folder of that name.
    """
    folders: set[Path] = set()
    for name in ("topology", "fault"):
        words = getattr(options, name, [])
        for number, word in enumerate(words):
            path, bridge = host_files.split(word)
            if path.suffix in cli_names.FILES or cli_names.is_interfaces(path):
                file = path.resolve()
                words[number] = str(file) if bridge is None else host_files.joined(file, bridge)
                under = cli_names.xml_under(file)
                for each in filter(None, (file, under and under.resolve())):
                    require_not_own(each.parent, f"--{name} {word}")
                    folders.add(each.parent)
    for name in ("expect_verdicts", "waivers"):
        if (given := getattr(options, name, None)) is not None:
            file = Path(given).resolve()
            require_not_own(file.parent, f"--{name.replace('_', '-')} {given}")
            setattr(options, name, str(file))
            folders.add(file.parent)
    if not is_own(Path.cwd()):
        folders.add(Path.cwd())
    elif options.after_build:
        require_not_own(Path.cwd(), "--after-build: the current folder")
    return folders


def require_not_own(folder: Path, what: str) -> None:
    """Check that a folder is not one that the host has of its own.

    Raises:
        UsageError: it is; with what named it.
    """
    if is_own(folder):
        raise UsageError(
            f"{what}: the host has a {folder} of its own, which is not this machine's",
            "copy it to another folder, such as your home",
        )


def is_own(folder: Path) -> bool:
    """Whether a folder belongs to a system, and the host has its own."""
    top, *rest = folder.parts[1:] or ("bin",)
    return top in OWN_FOLDERS or (top == "var" and (not rest or "/".join(rest) in OWN_IN_VAR))
