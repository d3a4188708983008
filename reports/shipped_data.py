# SPDX-License-Identifier: GPL-2.0-or-later
"""The catalogue's claims and the shipped faults and harmless changes, as coverage needs them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "topologies" / "claims.yaml"
FAULTS = ROOT / "faults"


@dataclass(frozen=True)
class ShippedChange:
    """A fault or a harmless change of a file of `faults/`.

    Attributes:
        id: its short name.
        topologies: names of those it changes, the file's name without suffix for one that is not
            shipped.
        caught_by: claims, or beginnings of checks' ids, that must notice it; of a harmless one
            none.
        is_harmless: whether nothing may notice it.
    """

    id: str
    topologies: tuple[str, ...]
    caught_by: tuple[str, ...]
    is_harmless: bool


def claim_ids() -> list[str]:
    """Return the ids of all claims, in the catalogue's order."""
    return [claim["id"] for section in _read(CATALOGUE)["sections"] for claim in section["claims"]]


@cache
def shipped_changes() -> tuple[ShippedChange, ...]:
    """Return the shipped faults and harmless changes, in the order of their files."""
    return tuple(
        change for file in sorted(FAULTS.glob("*.yaml")) for change in _changes(_read(file))
    )


def _changes(file: dict[str, Any]) -> Iterator[ShippedChange]:
    for key in ("faults", "harmless"):
        for entry in file.get(key, ()):
            yield ShippedChange(
                id=entry["id"],
                topologies=tuple(PurePosixPath(each).stem for each in entry["topologies"]),
                caught_by=tuple(entry.get("caught_by", ())),
                is_harmless=key == "harmless",
            )


def _read(file: Path) -> dict[str, Any]:
    """Return a file's values; the files are ours and checked where runs read them."""
    read: dict[str, Any] = YAML(typ="safe").load(file)
    return read
