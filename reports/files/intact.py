# SPDX-License-Identifier: GPL-2.0-or-later
"""A run as a report is made from it: its record, and all the evidence that the record names."""

import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

from reports.errors import ReportError
from reports.record import RUN_SCHEMA, Evidence, RecordError, RunRecord, load

CHUNK = 1 << 20
NAMED_MAX = 5


def read(record_file: Path) -> RunRecord:
    """Read a run record.

    Raises:
        ReportError: it cannot be read, is no record, or is one of another schema.
    """
    try:
        told = json.loads(record_file.read_bytes())
    except OSError as error:
        raise ReportError(
            f"{record_file}: cannot be read: {error.strerror}", "name the run.json of a run"
        ) from error
    except ValueError as error:
        raise ReportError(
            f"{record_file}: not JSON: {error}", "expected the run.json of a run"
        ) from error
    schema = told.get("schema") if isinstance(told, dict) else None
    if schema is None:
        raise ReportError(
            f"{record_file}: not a run record: it has no field `schema`",
            f"expected the run.json of a run, schema {RUN_SCHEMA}",
        )
    if schema != RUN_SCHEMA:
        raise ReportError(
            f"{record_file}: a record of schema {schema!r}",
            f"this version of Plumbline reads {RUN_SCHEMA}; use the one that wrote it",
        )
    try:
        return load(record_file)
    except RecordError as error:
        raise ReportError(str(error)) from error


def evidence(record: RunRecord) -> Iterator[Evidence]:
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

    While a topology stands, its own files grow.
    """
    return {
        file.path
        for topology in record.topologies
        if record.finished is None and topology.teardown_s is None
        for file in topology.evidence
    }


def require_evidence(record: RunRecord, folder: Path) -> list[str]:
    """Check that all evidence is there and as the record says.

    What was still being written when a run was killed is no reason to refuse it.

    Args:
        record: the run.
        folder: where its run.json is.

    Returns:
        The paths that grew in that way.

    Raises:
        ReportError: a file is missing, is not a plain file in the folder, or was altered.
    """
    missing: list[str] = []
    altered: list[str] = []
    for file in evidence(record):
        place = folder / file.path
        # A link could lead anywhere, and what it leads to is not part of the run.
        if not place.is_file() or not _is_plain(place, folder):
            missing.append(file.path)
        elif sha256(place) != file.sha256:
            altered.append(file.path)
    unsettled = growing(record)
    wrong = [path for path in altered if path not in unsettled]
    if missing:
        raise ReportError(
            f"{folder}: evidence is missing: {_named(missing)}",
            "a report is made from a whole run: run.json with its evidence folder beside it",
        )
    if wrong:
        raise ReportError(
            f"{folder}: evidence is not as it was recorded: {_named(wrong)}",
            "its SHA-256 is not the one in run.json: the file was altered after the run",
        )
    return altered


def _is_plain(place: Path, folder: Path) -> bool:
    steps = [place, *place.parents]
    return not any(step.is_symlink() for step in steps[: steps.index(folder)])


def _named(paths: list[str]) -> str:
    more = len(paths) - NAMED_MAX
    return ", ".join(paths[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
