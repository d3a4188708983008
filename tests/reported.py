# SPDX-License-Identifier: GPL-2.0-or-later
"""Small runs with evidence, to make reports from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contracts.verdicts import Verdict, worst
from reports.record import (
    Check,
    FaultResult,
    HostRecord,
    RunRecord,
    Statement,
    Tool,
    TopologyRecord,
    save,
)
from tests import records
from tests.records import kept

REASONS = {
    Verdict.CONFORMS: "all of 4 answered",
    Verdict.VIOLATES: "kvm1 does not reach the outside",
    Verdict.ERROR: "the host broke",
    Verdict.INCONCLUSIVE: "the control failed",
    Verdict.NOT_TESTABLE: "the host lacks an IOMMU (probe: no groups)",
}


def check(verdict: Verdict, name: str | None = None, **more: Any) -> Check:
    """A check on the topology nat that decides NT-01."""
    id_ = f"nat.{name or verdict.value.replace('-', '_')}[nat]"
    known: dict[str, Any] = {
        "claims": ["NT-01"],
        "reason": REASONS[verdict],
        "duration_s": 1.5,
        "rerun": f"./plumbline run --topology nat -- 'suites/test_nat.py::test_{id_[4:]}'",
    }
    return records.check(id_, verdict, **(known | more))


def record(checks: Sequence[Check], **more: Any) -> RunRecord:
    """A run of these checks, finished unless said otherwise."""
    known: dict[str, Any] = {
        "tool": Tool(version="0.1.0", commit="c" * 40, dirty=False, command=["./plumbline", "run"]),
        "host": HostRecord(kind="sandbox", release="Debian GNU/Linux 12 (bookworm)"),
        "statements": {"NT-01": Statement(statement="Guests reach the outside", source="D1: 4.2")},
    }
    if checks:
        verdict = worst(each.verdict for each in checks)
        known["topologies"] = [TopologyRecord(name="nat", kind="nat", title="NAT", verdict=verdict)]
    return records.record(checks, **(known | more))


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
    known: dict[str, Any] = {"title": "MASQUERADE is gone", "outcome": outcome}
    return records.fault(f"nat-{outcome.replace(' ', '-')}", **(known | more))
