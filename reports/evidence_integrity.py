# SPDX-License-Identifier: GPL-2.0-or-later
"""The evidence that a record names: is it all there, and as it was recorded?"""

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from contracts.run_files import RECORD
from reports.record import EvidenceFile, RunRecord
from reports.report_error import ReportError

CHUNK = 1 << 20
NAMED_MAX = 5


def evidence(record: RunRecord) -> Iterator[EvidenceFile]:
    """Return every file that the record names, each path once, topologies' files first."""
    seen: set[str] = set()
    of_topologies = (file for topology in record.topologies for file in topology.evidence)
    of_checks = (file for check in record.checks for file in check.evidence)
    for file in itertools.chain(of_topologies, of_checks):
        if file.path not in seen:
            seen.add(file.path)
            yield file


def sha256(file: Path) -> str:
    """Return the hash of a file's content, in hexadecimal."""
    known = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(CHUNK):
            known.update(chunk)
    return known.hexdigest()


def growing(record: RunRecord) -> set[str]:
    """Return the paths of what was still being written when a run was killed.

    While a topology is up, its own files grow.
    """
    return {
        file.path
        for topology in record.topologies
        if record.finished is None and topology.teardown_s is None
        for file in topology.evidence
    }


@dataclass(frozen=True)
class EvidenceState:
    """How the evidence of a run was found, by paths.

    Attributes:
        missing: not there, or not a plain file in the folder.
        unreadable: the system refuses to read it, for want of a permission above all.
        altered: different from the record.
        grown: different, because the killed run was still writing it: no fault.
    """

    missing: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    grown: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[tuple[str, str]]:
        """What is wrong, each with what to do about it."""
        found = [
            (
                "is missing",
                self.missing,
                f"a report is made from a whole run: {RECORD} with its evidence folder beside it",
            ),
            ("cannot be read", self.unreadable, "make it readable: chmod -R u+rX, or chown"),
            (
                "is not as it was recorded",
                self.altered,
                f"its SHA-256 is not the one in {RECORD}: the file was altered after the run",
            ),
        ]
        return [(f"evidence {what}: {_named(paths)}", hint) for what, paths, hint in found if paths]

    def require(self, folder: Path) -> None:
        """Stop where anything is wrong.

        Raises:
            ReportError: something is; the first of it.
        """
        for what, hint in self.faults:
            raise ReportError(f"{folder}: {what}", hint)


def inspect(record: RunRecord, folder: Path) -> EvidenceState:
    """Return how the evidence of a run was found.

    Args:
        record: the run.
        folder: where its run.json is.
    """
    found = EvidenceState()
    unsettled = growing(record)
    for file in evidence(record):
        place = folder / file.path
        try:
            # A link could lead anywhere, and what it leads to is not part of the run.
            if not place.is_file() or not _is_plain(place, folder):
                found.missing.append(file.path)
            elif sha256(place) != file.sha256:
                is_growing = file.path in unsettled
                (found.grown if is_growing else found.altered).append(file.path)
        except OSError:
            found.unreadable.append(file.path)
    return found


def require_evidence(record: RunRecord, folder: Path) -> list[str]:
    """Check that all evidence is there and as recorded.

    What was still being written when a run was killed is no reason to refuse it.

    Args:
        record: the run.
        folder: where its run.json is.

    Returns:
        The paths that grew in that way.

    Raises:
        ReportError: a file is missing, is not a plain file in the folder, cannot be read, or was
            altered.
    """
    found = inspect(record, folder)
    found.require(folder)
    return found.grown


def _is_plain(place: Path, folder: Path) -> bool:
    steps = [place, *place.parents]
    return not any(step.is_symlink() for step in steps[: steps.index(folder)])


def _named(paths: list[str]) -> str:
    more = len(paths) - NAMED_MAX
    return ", ".join(paths[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
