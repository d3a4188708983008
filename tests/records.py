# SPDX-License-Identifier: GPL-2.0-or-later
"""Builders of run records and their parts, with a default for whatever a test is not about."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from contracts.verdicts import Verdict, worst
from reports.record import (
    Check,
    EvidenceFile,
    FaultResult,
    RunRecord,
    Tool,
    TopologyRecord,
    claim_verdicts,
)

STARTED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FINISHED = datetime(2026, 3, 1, 12, 3, 41, tzinfo=UTC)
RUN_ID = UUID("11111111-2222-4333-8444-555555555555")
TOOL = Tool(version="1", commit="c" * 40, dirty=False, command=["./plumbline", "run"])


def check(id_: str, verdict: Verdict = Verdict.CONFORMS, **more: Any) -> Check:
    """Return a check on the topology nat that decides NT-05."""
    known: dict[str, Any] = {
        "id": id_,
        "claims": ["NT-05"],
        "topology": "nat",
        "verdict": verdict,
        "duration_s": 0.5,
        "rerun": "./plumbline run",
    }
    return Check.model_validate(known | more)


def record(checks: Iterable[Check], **more: Any) -> RunRecord:
    """Return a finished run of checks, with the topologies and claims that they name."""
    made = list(checks)
    topologies = [
        TopologyRecord(name=name, verdict=worst(c.verdict for c in made if c.topology == name))
        for name in dict.fromkeys(each.topology for each in made)
    ]
    known: dict[str, Any] = {
        "id": RUN_ID,
        "started": STARTED,
        "finished": FINISHED,
        "tool": TOOL,
        "topologies": topologies,
        "checks": made,
        "claims": claim_verdicts(made),
    }
    return RunRecord.model_validate(known | more)


def harmless(id_: str, topology: str = "nat", **more: Any) -> FaultResult:
    """Return a harmless change of a topology, and what came of it."""
    return fault(id_, topology, **({"caught_by": [], "why": "No claim is about it."} | more))


def kept(
    folder: Path, path: str, content: str | bytes, media_type: str = "text/plain"
) -> EvidenceFile:
    """Write a file of evidence into a run's folder, and return what a record says of it."""
    octets = content.encode() if isinstance(content, str) else content
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(octets)
    digest = hashlib.sha256(octets).hexdigest()
    return EvidenceFile(name=place.name, media_type=media_type, path=path, sha256=digest)


def fault(id_: str, topology: str = "nat", **more: Any) -> FaultResult:
    """Return a fault of a topology, and what came of it."""
    known: dict[str, Any] = {
        "id": id_,
        "title": f"What {id_} breaks",
        "topology": f"{topology}+{id_}",
        "on": "host",
        "apply": "iptables -t nat -F",
        "caught_by": ["NT-01"],
        "also": {},
    }
    return FaultResult.model_validate(known | more)
