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
