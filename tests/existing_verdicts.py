# SPDX-License-Identifier: GPL-2.0-or-later
"""A run on the networks of a machine, and the verdicts that it gives."""

import json
from pathlib import Path
from typing import Any

from contracts.run_files import RECORD
from tests.host_with_networks import MachineWithNetworks

Verdicts = dict[str, tuple[str, str]]
"""A check's id → its verdict and its reason."""


def run_on(
    machine: MachineWithNetworks, folder: Path, *more: str, claims: tuple[str, ...]
) -> tuple[dict[str, Any], Verdicts]:
    """Run on it, require that it is left as it was, and return the record and its verdicts."""
    output = folder / "run"
    asked = ["run", "--host", "local", "--accel", "tcg", "--output", str(output), *more]
    asked += [word for claim in claims for word in ("--claim", claim)]
    done = machine.plumbline(*asked, folder=folder)
    assert (output / RECORD).exists(), str(done)
    record = json.loads((output / RECORD).read_text())
    said = {each["id"]: (each["verdict"], each["reason"]) for each in record["checks"]}
    as_it_was = said.pop("host_as_it_was.host_is_as_it_was")
    assert as_it_was[0] == "conforms", as_it_was
    return record, said


def reach(network: str, cell: str, verdicts: Verdicts) -> dict[str, str]:
    """Return the verdicts of a cell over IPv6, by the protocol."""
    begin = f"each[{network}-{cell}-"
    return {
        name.partition(begin)[2].removesuffix("-ipv6]"): verdict
        for name, (verdict, _) in verdicts.items()
        if begin in name and name.endswith("-ipv6]")
    }


def every(verdict: str) -> dict[str, str]:
    return dict.fromkeys(("icmp", "tcp", "udp"), verdict)
