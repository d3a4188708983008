# SPDX-License-Identifier: GPL-2.0-or-later
"""The standard that a run was judged by: the catalogue, its levels, and what the run left out."""

from pydantic import Field

from reports.record_types import RecordPart


class Standard(RecordPart):
    """The catalogue of claims that a run's checks are from."""

    catalogue: str = Field(description="its format")
    edition: int | None = Field(
        default=None, ge=1, description="the catalogue's number; null in an older record"
    )
    version: str = Field(description="the version of Plumbline that it is part of")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of topologies/claims.yaml")
    levels: dict[str, str] = Field(description="the level of each of its claims, by id")
    selected: list[str] = Field(
        default_factory=list,
        description="the options that left checks out, as in `--claim NT-09`, and those of pytest "
        "behind `--`, as in `-k dhcp`; empty: none did",
    )
