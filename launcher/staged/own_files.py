# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of a host with a profile: its identity, the profile's files, its units.

A staged host's first process writes them, and so does that of a lab with a profile, as
`python3 own_files.py ORDERS`, before systemd is started. Standard library only, and no import of
the harness: a lab has the clone only later.
"""

import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

UNITS = Path("/etc/systemd/system")
UNIT_FOLDERS = (UNITS, Path("/usr/lib/systemd/system"), Path("/lib/systemd/system"))


def identify(name: str) -> None:
    """Give the host a name and an identity of its own; nothing resolves names for it."""
    Path("/etc/hostname").write_text(f"{name}\n")
    Path("/etc/hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {name}\n")
    # Without one systemd takes this for the first boot, and enables every unit.
    Path("/etc/machine-id").write_text(f"{uuid4().hex}\n")
    # With them systemd brings no cache up to date: they are those of the packages.
    for folder in ("/etc", "/var"):
        Path(folder, ".updated").touch()
    resolver = Path("/etc/resolv.conf")
    with contextlib.suppress(FileNotFoundError):
        resolver.unlink()
    resolver.write_text("")


def masks(
    own: Sequence[str], masked: Sequence[str], enabled: Sequence[str], files: Mapping[str, str]
) -> list[str]:
    """Return the units to mask: a profile's, and those of ours that it does not have itself.

    Args:
        own: units that every such host does without.
        masked: those of the profile.
        enabled: those that the profile enables.
        files: the profile's, by their paths; a unit of its own is one it wants.
    """
    wanted = {*enabled, *(Path(path).name for path in files if Path(path).parent in UNIT_FOLDERS)}
    return [*(unit for unit in own if unit not in wanted), *masked]


def put(files: Mapping[str, str], masked: Sequence[str], enabled: Sequence[str]) -> None:
    """Write files, mask units, and enable others.

    A file that begins as a script does can be run.

    Raises:
        LookupError: there is no such unit to enable.
    """
    for path, text in files.items():
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.write_text(text)
        place.chmod(0o755 if text.startswith("#!") else 0o644)
    for unit in masked:
        _link(UNITS / unit, "/dev/null")
    for unit in enabled:
        file = _file_of(unit)
        for line in file.read_text().splitlines():
            # "WantedBy=multi-user.target"
            key, _, target = line.partition("=")
            if key == "WantedBy":
                _link(UNITS / f"{target}.wants" / unit, str(file))


def _file_of(unit: str) -> Path:
    for folder in UNIT_FOLDERS:
        if (folder / unit).exists():
            return folder / unit
    raise LookupError(f"no unit {unit} to enable; its package would have it")


def _link(place: Path, target: str) -> None:
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(target)


def main() -> None:
    """Write what the file of orders has, on the machine that this is."""
    [file] = sys.argv[1:]
    orders = json.loads(Path(file).read_text())
    try:
        identify(orders["hostname"])
        put(orders["files"], orders["masked"], orders["enabled"])
    except (OSError, LookupError) as error:
        sys.exit(f"the profile's files could not be written: {error}")


if __name__ == "__main__":
    main()
