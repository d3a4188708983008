# SPDX-License-Identifier: GPL-2.0-or-later
"""The fleet of a folder with the records of many hosts."""

from datetime import UTC, datetime
from pathlib import Path

from reports.fleet.fleet import NO_CLAIM, Fleet
from reports.fleet.host_rows import host_folders, host_row
from reports.fleet.outliers import claims_of, outliers_first
from reports.fleet.shared_values import shared_values
from reports.record import Statement


def fleet_of(folder: Path) -> Fleet:
    """Read all hosts of a folder.

    A host without a record that can be read is one of them.

    Raises:
        ReportError: there is no such folder, or no host in it.
    """
    hosts, statements = [], dict[str, Statement]()
    for place in host_folders(folder):
        host, said = host_row(place)
        hosts.append(host)
        # The first record that has a claim has its text: versions may differ in it.
        statements = {**said, **statements}
    ids = {id_ for host in hosts for id_ in host.claims}
    claims = claims_of(hosts, statements, sorted(ids, key=lambda id_: (id_ == NO_CLAIM, id_)))
    return Fleet(
        made=datetime.now(UTC).replace(microsecond=0),
        hosts=outliers_first(hosts, claims),
        claims=claims,
        shared=shared_values(hosts),
    )
