# SPDX-License-Identifier: GPL-2.0-or-later
"""Records of runs to be compared: made in memory, with evidence in a folder."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from reports.record import Check, EvidenceFile, Measurement, RunRecord, Verdict
from tests import records
from tests.records import STARTED

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
    more = {"claims": list(claims), "topology": topology, "measurements": list(measurements)}
    rerun = f"./plumbline run --topology {topology}"
    return records.check(name, verdict, reason=reason, evidence=list(evidence), rerun=rerun, **more)


def record(
    number: int,
    *checks: Check,
    host: Mapping[str, object] = HOST,
    finished: bool = True,
    evidence: Mapping[str, Sequence[EvidenceFile]] | None = None,
    **more: object,
) -> RunRecord:
    """Return the record of a run, the `number`th of them in time."""
    started = STARTED + timedelta(days=number)
    run = records.record(
        checks,
        id=UUID(int=number + 1),
        started=started,
        finished=started + timedelta(minutes=4) if finished else None,
        host=host,
        **more,
    )
    if evidence is None:
        return run
    topologies = [
        each.model_copy(update={"evidence": list(evidence.get(each.name, ()))})
        for each in run.topologies
    ]
    return run.model_copy(update={"topologies": topologies})


def kept(folder: Path, name: str, text: str) -> EvidenceFile:
    """Write a file of evidence into a run's folder."""
    return records.kept(folder, f"evidence/{name}", text)
