# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders with the records of many hosts, as the playbook fetches them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts.run_files import RECORD
from contracts.verdicts import Verdict
from reports.fleet.host_status import STATUS, HostStatus
from reports.record import HostRecord, RunRecord, Statement, save
from tests.records import STARTED, check, record

C, V, N = Verdict.CONFORMS, Verdict.VIOLATES, Verdict.NOT_TESTABLE
OLD, NEW = "6.1.0-28-amd64 #1 SMP", "6.12.4-amd64 #1 SMP"


def host(
    folder: Path, name: str, verdicts: Mapping[str, Verdict], kernel: str = OLD, **more: Any
) -> RunRecord:
    """Write the record of a host that has these verdicts by claim."""
    facts = {"kernel": kernel, "versions": {"libvirt": "9.0.0", "openvswitch": None}}
    known: dict[str, Any] = {
        "host": HostRecord(kind="local", release="Debian GNU/Linux 12 (bookworm)", facts=facts),
        "statements": {id_: Statement(statement=f"{id_} holds", source="D1") for id_ in verdicts},
    }
    checks = [
        check(f"nat.{id_.lower()}[nat]", verdict, claims=[id_], reason=f"seen of {id_}")
        for id_, verdict in verdicts.items()
    ]
    made = record(checks, **(known | more))
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    save(made, place / RECORD)
    return made


def status(folder: Path, name: str, state: str, **more: Any) -> None:
    """Write the status of a host."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    made = HostStatus.model_validate({"state": state, "at": STARTED, **more})
    (place / STATUS).write_text(made.model_dump_json())


def with_every_state(folder: Path) -> Path:
    """Make a folder that of a fleet with a host in every state, and return it."""
    for number in range(5):
        host(folder, f"good{number}", {"NT-01": C, "NT-02": N})
    host(folder, "bad", {"NT-01": V, "NT-02": C}, NEW)
    host(folder, "cut", {"NT-01": C}, finished=None)
    host(folder, "lost", {"NT-01": C}, finished=None)
    status(folder, "lost", "died", reason="no answer for 60 s")
    status(folder, "silent", "unreachable", reason="No route to host", groups=["rack1"])
    status(folder, "old", "refused", reason="Python 3.9 is too old", exit_code=4)
    (folder / "empty").mkdir()
    (folder / "later").mkdir()
    (folder / "later" / RECORD).write_text('{"schema": "plumbline/run/2"}')
    (folder / "torn").mkdir()
    (folder / "torn" / RECORD).write_text('{"schema": "plumb')
    return folder
