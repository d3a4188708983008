# SPDX-License-Identifier: GPL-2.0-or-later
"""Records of runs to be compared: made in memory, with evidence in a folder."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from reports.record import (
    Check,
    EvidenceFile,
    HostRecord,
    Measurement,
    RunRecord,
    Tool,
    TopologyRecord,
    Verdict,
    claim_verdicts,
    worst,
)

MOMENT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FACTS: dict[str, Any] = {
    "kernel": "6.1.0",
    "cpu": {"model": "Some CPU", "count": 4},
    "versions": {"libvirt": "9.0.0", "qemu": "7.2"},
    "topologies": {
        "nat": {"sysctls": {"net.ipv4.ip_forward": "1"}},
        "ovs": {"sysctls": {"net.ipv4.ip_forward": "1"}},
    },
}
HOST: dict[str, Any] = {
    "kind": "sandbox",
    "release": "Debian 12",
    "accel": {"name": "kvm", "reason": "a guest booted"},
    "facts": FACTS,
}


def quantity(
    name: str, samples: Sequence[float], unit: str = "Mbit/s", better: str | None = "more"
) -> Measurement:
    return Measurement.model_validate(
        {"name": name, "unit": unit, "samples": list(samples), "better": better, "cold": 0}
    )


def check(
    name: str,
    verdict: Verdict = Verdict.CONFORMS,
    *,
    topology: str = "nat",
    claims: Sequence[str] = ("NT-05",),
    reason: str | None = None,
    measurements: Sequence[Measurement] = (),
    evidence: Sequence[EvidenceFile] = (),
) -> Check:
    return Check(
        id=name,
        claims=list(claims),
        topology=topology,
        verdict=verdict,
        reason=reason,
        duration_s=1.0,
        measurements=list(measurements),
        evidence=list(evidence),
        rerun=f"./plumbline run --topology {topology}",
    )


def record(
    number: int,
    *checks: Check,
    host: Mapping[str, object] = HOST,
    finished: bool = True,
    evidence: Mapping[str, Sequence[EvidenceFile]] | None = None,
    **more: object,
) -> RunRecord:
    """Return the record of a run, the `number`th of them in time."""
    names = dict.fromkeys(each.topology for each in checks)
    started = MOMENT + timedelta(days=number)
    return RunRecord.model_validate(
        {
            "id": UUID(int=number + 1),
            "started": started,
            "finished": started + timedelta(minutes=4) if finished else None,
            "tool": Tool(version="1", commit="c" * 40, dirty=False, command=["./plumbline", "run"]),
            "host": HostRecord.model_validate(host),
            "topologies": [
                TopologyRecord(
                    name=name,
                    verdict=worst(c.verdict for c in checks if c.topology == name),
                    evidence=list((evidence or {}).get(name, ())),
                )
                for name in names
            ],
            "checks": list(checks),
            "claims": claim_verdicts(checks),
            **more,
        }
    )


def kept(folder: Path, name: str, text: str) -> EvidenceFile:
    """Write a file of evidence into a run's folder."""
    place = folder / "evidence" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return EvidenceFile(
        name=Path(name).name,
        media_type="text/plain",
        path=f"evidence/{name}",
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )
