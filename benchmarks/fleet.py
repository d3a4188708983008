# SPDX-License-Identifier: GPL-2.0-or-later
"""How long the page of a large fleet takes to be made and to open, and how big it is.

    python -m benchmarks.fleet [HOSTS] [CLAIMS] [ROUNDS] [FOLDER]

CLAIMS is as many as the catalogue has. The hosts are made up: each has its record or, one in fifty,
only a status. Every claim has every verdict on some host, so that no column can be folded away; a
tenth of the hosts has another kernel and violates a tenth of the claims. FOLDER keeps what was
made. "Usable" is the time from the start of the navigation in headless Chromium until the page is
parsed, can be searched and was painted.

The exit code is 1 where a fleet of this size or a smaller one takes more than `USABLE_S` to be
usable, by the median of the rounds.
"""

import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from uuid import UUID

from benchmarks.opened_page import USABLE, click_on, opened, search_for, table
from contracts.exit_codes import EXIT_CONFORMS, EXIT_VIOLATES
from contracts.run_files import RECORD
from contracts.verdicts import Verdict, worst
from reports.fleet.fleet import Fleet
from reports.fleet.fleet_of_folder import fleet_of
from reports.fleet.fleet_pages import fleet_html
from reports.fleet.host_status import STATUS, HostStatus
from reports.record import (
    Check,
    HostRecord,
    RunRecord,
    Statement,
    Tool,
    TopologyRecord,
    claim_verdicts,
    save,
)
from topologies.catalogue import claims

HOSTS, CLAIMS, ROUNDS = 500, len(claims()), 5
# The reader waits no longer for such a page.
USABLE_S = 3.0
BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OTHERS = (Verdict.INCONCLUSIVE, Verdict.NOT_TESTABLE, Verdict.ERROR)
TIMED = {
    "usable": USABLE,
    "search": search_for("6.12"),
    "claims unfolded": click_on("#differing"),
}


def main(argv: Sequence[str]) -> int:
    """Make a fleet and its page, open it some times, and print a table of seconds.

    Returns:
        0, or 1 where the page took too long to open.
    """
    given = [int(each) for each in argv[:3]]
    hosts, columns, rounds = [*given, *(HOSTS, CLAIMS, ROUNDS)[len(given) :]]
    with tempfile.TemporaryDirectory(prefix="plumbline-") as name:
        folder = Path(argv[3]) if len(argv) > 3 else Path(name)
        make(folder, hosts, columns)
        page = folder / "fleet.html"
        begin = time.monotonic()
        fleet = fleet_of(folder)
        read = time.monotonic() - begin
        made = [_made(fleet, page) for _ in range(rounds)]
        shown = opened(page, rounds, TIMED)
        size = page.stat().st_size
    print(f"{hosts} hosts × {columns} claims: a page of {size / 1e6:.1f} MB")
    print(table({"read and tested": [read], "made": made, **shown}, rounds))
    return exit_code(shown["usable"])


def exit_code(usable_s: Sequence[float]) -> int:
    """Return the exit code for the seconds that the page took to be usable, one a round."""
    taken = median(usable_s)
    if taken <= USABLE_S:
        return EXIT_CONFORMS
    print(f"the page was usable after {taken:.1f} s: expected {USABLE_S:.0f} s", file=sys.stderr)
    return EXIT_VIOLATES


def make(folder: Path, hosts: int, columns: int) -> None:
    """Write the records of a fleet."""
    for number in range(hosts):
        place = folder / f"host{number:03}"
        place.mkdir(parents=True, exist_ok=True)
        if number % 50 == 49:
            status = HostStatus(state="unreachable", reason="no route to host", at=BEGAN)
            (place / STATUS).write_text(status.model_dump_json(by_alias=True))
        else:
            save(_record(number, columns), place / RECORD)


def _record(number: int, columns: int) -> RunRecord:
    checks = list(_checks(number, columns))
    other = number % 10 == 3
    some = random.Random(number)  # noqa: S311 - the same facts in each round, and no secret
    versions = {
        "libvirt": "11.3.0" if other else "9.0.0",
        "qemu": f"QEMU emulator version 7.2.{number % 4}",
        "openvswitch": "ovs-vswitchd (Open vSwitch) 3.1.0",
        "nftables": "nftables v1.0.6 (Lester Gooch #5)",
        "iptables": "iptables v1.8.9 (nf_tables)",
    }
    facts = {
        "distribution": "Debian GNU/Linux 12 (bookworm)",
        "kernel": "6.12.4-amd64 #1 SMP" if other else "6.1.0-28-amd64 #1 SMP",
        "memory_mib": 65536 + number,
        "versions": versions,
        **{f"fact{index}": some.randrange(2 + index % 7) for index in range(40)},
    }
    return RunRecord(
        id=UUID(int=number + 1),
        started=BEGAN,
        finished=BEGAN + timedelta(minutes=9),
        tool=Tool(version="1", commit="c" * 40, dirty=False, command=["./plumbline", "run"]),
        host=HostRecord(kind="local", release="Debian GNU/Linux 12 (bookworm)", facts=facts),
        topologies=[TopologyRecord(name="nat", verdict=worst(each.verdict for each in checks))],
        checks=checks,
        claims=claim_verdicts(checks),
        statements={
            f"GN-{index:03}": Statement(statement=f"Claim {index} holds", source="D4")
            for index in range(columns)
        },
    )


def _checks(number: int, columns: int) -> Iterator[Check]:
    for index in range(columns):
        verdict = Verdict.CONFORMS
        if (number % 10 == 3 and index % 10 == 0) or (number * 31 + index * 7) % 997 == 0:
            verdict = Verdict.VIOLATES
        elif (number * 13 + index * 5) % 230 == 0:
            verdict = OTHERS[(number + index) % len(OTHERS)]
        yield Check(
            id=f"property{index % 30}.check_{index}[nat]",
            claims=[f"GN-{index:03}"],
            topology="nat",
            verdict=verdict,
            reason=f"kvm1 → kvm2 by vnet {index}: 4 of 4 answered (of 64, 64, 1472, 4000 octets)",
            duration_s=0.5,
            rerun="./plumbline run --topology nat",
        )


def _made(fleet: Fleet, page: Path) -> float:
    begin = time.monotonic()
    page.write_text(fleet_html(fleet))
    return time.monotonic() - begin


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
