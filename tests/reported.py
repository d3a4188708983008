# SPDX-License-Identifier: GPL-2.0-or-later
"""Small runs with evidence, to make reports from."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from contracts.verdicts import Verdict, worst
from reports.record import (
    Check,
    EvidenceFile,
    FaultResult,
    HostRecord,
    RunRecord,
    Statement,
    Tool,
    TopologyRecord,
    claim_verdicts,
    save,
)

STARTED = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
FINISHED = datetime(2026, 3, 1, 12, 3, 41, tzinfo=UTC)
RUN_ID = UUID("11111111-2222-4333-8444-555555555555")
REASONS = {
    Verdict.CONFORMS: "all of 4 answered",
    Verdict.VIOLATES: "kvm1 does not reach the outside",
    Verdict.ERROR: "the host broke",
    Verdict.INCONCLUSIVE: "the control failed",
    Verdict.NOT_TESTABLE: "the host lacks an IOMMU (probe: no groups)",
}


def kept(folder: Path, path: str, content: bytes, media_type: str = "text/plain") -> EvidenceFile:
    """Write a file of evidence, and return what a record says of it."""
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return EvidenceFile(
        name=place.name,
        media_type=media_type,
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def check(verdict: Verdict, name: str | None = None, **more: Any) -> Check:
    """A check on the topology nat that decides NT-01."""
    id_ = f"nat.{name or verdict.value.replace('-', '_')}[nat]"
    known: dict[str, Any] = {
        "id": id_,
        "claims": ["NT-01"],
        "topology": "nat",
        "verdict": verdict,
        "reason": REASONS[verdict],
        "duration_s": 1.5,
        "rerun": f"./plumbline run --topology nat -- 'suites/test_nat.py::test_{id_[4:]}'",
    }
    return Check(**(known | more))


def record(checks: Sequence[Check], **more: Any) -> RunRecord:
    """A run of these checks, finished unless said otherwise."""
    known: dict[str, Any] = {
        "id": RUN_ID,
        "started": STARTED,
        "finished": FINISHED,
        "tool": Tool(version="0.1.0", commit="c" * 40, dirty=False, command=["./plumbline", "run"]),
        "host": HostRecord(kind="sandbox", release="Debian GNU/Linux 12 (bookworm)"),
        "topologies": [
            TopologyRecord(
                name="nat", kind="nat", title="NAT", verdict=worst(c.verdict for c in checks)
            )
        ]
        if checks
        else [],
        "checks": list(checks),
        "claims": claim_verdicts(checks),
        "statements": {"NT-01": Statement(statement="Guests reach the outside", source="D1: 4.2")},
    }
    return RunRecord(**(known | more))


def saved(folder: Path, files: dict[str, bytes], verdict: Verdict = Verdict.CONFORMS) -> RunRecord:
    """Write a run of one check with this evidence, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    media_types = {".pcap": "application/vnd.tcpdump.pcap", ".bin": "application/octet-stream"}
    evidence = [
        kept(folder, path, content, media_types.get(Path(path).suffix, "text/plain"))
        for path, content in files.items()
    ]
    made = record([check(verdict, evidence=evidence)])
    save(made, folder / "run.json")
    return made


def fault(outcome: str, **more: Any) -> FaultResult:
    """A fault on the topology nat."""
    known: dict[str, Any] = {
        "id": f"nat-{outcome.replace(' ', '-')}",
        "title": "MASQUERADE is gone",
        "topology": f"nat+nat-{outcome.replace(' ', '-')}",
        "on": "host",
        "apply": "iptables -t nat -F",
        "caught_by": ["NT-01"],
        "also": {},
        "outcome": outcome,
    }
    return FaultResult(**(known | more))
