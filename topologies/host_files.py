# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of a bridge host as words of a command line: `FILE`, or `FILE#BRIDGE` for one of several.

Standard library only, as `topologies.cli_names`.
"""

import re
from pathlib import Path
from typing import Final

# The words that begin a stanza of /etc/network/interfaces, beside allow-CLASS.
STARTS: Final = (
    *("auto", "iface", "mapping", "source", "source-directory", "no-auto-down", "no-scripts"),
    *("rename", "template"),
)
ALLOW: Final = "allow-"
JOINT: Final = "#"
# Stanzas that were on standard input: they have no folder, and are another host's as likely.
PIPED: Final = ".piped"
# 'network:' at the beginning of a line, and no 'schema:', which a topology file has.
TOP: Final = re.compile(r"^network:", re.MULTILINE)
OF_A_TOPOLOGY: Final = re.compile(r"^schema:", re.MULTILINE)


def begins_a_stanza(word: str) -> bool:
    """Whether a line's first word begins a stanza of `/etc/network/interfaces`."""
    return word in STARTS or word.startswith(ALLOW)


def is_interfaces(text: str) -> bool:
    """Whether a text is of the form of `/etc/network/interfaces`, by its first line."""
    for line in text.splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            return begins_a_stanza(words[0])
    return False


def is_netplan(text: str) -> bool:
    """Whether YAML is netplan's, by its keys."""
    return TOP.search(text) is not None and OF_A_TOPOLOGY.search(text) is None


def split(word: str) -> tuple[Path, str | None]:
    """Return the file that a word names, and the bridge of it; None: all that it has."""
    file, joint, bridge = word.rpartition(JOINT)
    if not joint or not bridge or Path(word).exists():
        return Path(word), None
    return Path(file), bridge


def joined(file: Path, bridge: str) -> str:
    """Return the word that names one bridge of a file."""
    return f"{file}{JOINT}{bridge}"
