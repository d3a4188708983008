# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a large report takes to be made and to open, and how big it is.

    python -m benchmarks.report [CHECKS] [MEGABYTES] [ROUNDS]

The run is made up: that many checks on eight topologies, with that much evidence, half of it
transcripts of commands and half captures. "Usable" is the time from the start of the navigation in
headless Chromium until the page is parsed, its filters work and it was painted.
"""

import hashlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from benchmarks.opened_page import USABLE, opened, search_for, table
from contracts.run_files import EVIDENCE
from reports.html.report_page import render
from reports.record import (
    Check,
    EvidenceFile,
    Measurement,
    RunRecord,
    Statement,
    Tool,
    TopologyRecord,
    Verdict,
    claim_verdicts,
)

CHECKS, MEGABYTES, ROUNDS = 500, 50, 5
TOPOLOGIES = [f"network-{number}" for number in range(8)]
VERDICTS = [*[Verdict.CONFORMS] * 7, Verdict.VIOLATES, Verdict.NOT_TESTABLE, Verdict.INCONCLUSIVE]
COMMAND = "[host]$ ip -details link show dev vnet{0}\n{0}: vnet{0}: <BROADCAST,UP> mtu 1500\n"
TIMED = {"usable": USABLE, "text filter": search_for("vnet 499")}


def main(argv: Sequence[str]) -> None:
    """Make a run, its report, open it some times, and print a table of seconds."""
    given = [int(each) for each in argv]
    checks, megabytes, rounds = [*given, *(CHECKS, MEGABYTES, ROUNDS)[len(given) :]]
    with tempfile.TemporaryDirectory(prefix="plumbline-") as name:
        folder = Path(name)
        record = _record(folder, checks, megabytes * 1_000_000)
        made = [_made(record, folder) for _ in range(rounds)]
        shown = opened(folder / "report.html", rounds, TIMED)
        size = (folder / "report.html").stat().st_size
    print(f"{checks} checks, {megabytes} MB of evidence: a page of {size / 1e6:.1f} MB")
    print(table({"made": made, **shown}, rounds))


def _made(record: RunRecord, folder: Path) -> float:
    begin = time.monotonic()
    (folder / "report.html").write_text(render(record, folder))
    return time.monotonic() - begin


def _record(folder: Path, number: int, octets: int) -> RunRecord:
    checks = list(_checks(folder, number, octets // number // 2))
    began = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    return RunRecord(
        id=UUID(int=1),
        started=began,
        finished=began + timedelta(minutes=9),
        tool=Tool(version="1", commit=None, dirty=None, command=["./plumbline", "run"]),
        topologies=[TopologyRecord(name=name, verdict=Verdict.VIOLATES) for name in TOPOLOGIES],
        checks=checks,
        claims=claim_verdicts(checks),
        statements={
            id_: Statement(statement=f"{id_} holds", source="D4")
            for id_ in dict.fromkeys(claim for check in checks for claim in check.claims)
        },
    )


def _checks(folder: Path, number: int, octets: int) -> Iterator[Check]:
    for index in range(number):
        topology = TOPOLOGIES[index % len(TOPOLOGIES)]
        lines = COMMAND.format(index)
        text = (lines * (octets // len(lines) + 1))[:octets].encode()
        capture = hashlib.sha256(text).digest() * (octets // 32)
        yield Check(
            id=f"property{index % 30}.check_{index}[{topology}]",
            claims=[f"GN-{index % 90:02}"],
            topology=topology,
            verdict=VERDICTS[index % len(VERDICTS)],
            reason=f"kvm1 → kvm2 by vnet {index}: 4 of 4 answered (of 64, 64, 1472, 4000 octets)",
            duration_s=0.5,
            measurements=[Measurement(name="rate", unit="Mbit/s", samples=[index, index + 1.5])],
            evidence=[
                _kept(folder, index, "commands.txt", "text/plain", text),
                _kept(folder, index, "host.pcap", "application/vnd.tcpdump.pcap", capture),
            ],
            rerun=f"./plumbline run --topology {topology}",
        )


def _kept(folder: Path, index: int, name: str, media_type: str, content: bytes) -> EvidenceFile:
    path = folder / EVIDENCE / str(index) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return EvidenceFile(
        name=name,
        media_type=media_type,
        path=str(path.relative_to(folder)),
        sha256=hashlib.sha256(content).hexdigest(),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
