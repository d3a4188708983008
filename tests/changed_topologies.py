# SPDX-License-Identifier: GPL-2.0-or-later
"""A topology file with some of its text replaced, read."""

from pathlib import Path

from topologies.library import load
from topologies.topology import Topology


def changed(source: Path, folder: Path, *changes: tuple[str, str]) -> Topology:
    """Return the topology of a file, written into a folder with some of its text replaced.

    Args:
        source: the file.
        folder: where the changed one goes.
        changes: each a text that the file has, and the one in its place.
    """
    text = source.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return load(str(file))
