# SPDX-License-Identifier: GPL-2.0-or-later
"""A waiver as the run record has it."""

from datetime import date
from typing import Literal

from pydantic import Field

from reports.record_types import RecordPart

WaiverOutcome = Literal["waived", "run out", "unused"]
"""What became of a waiver: it waives violations, its last day is over, it waives nothing."""


class Waiver(RecordPart):
    """A violation that an operator knows of and accepts until a day."""

    id: str = Field(description="the claim")
    topology: str | None = Field(default=None, description="where; null: on every topology")
    until: date = Field(description="its last day, in UTC")
    why: str
    source: str = Field(description="--waive, or file and line")
    outcome: WaiverOutcome | None = Field(
        default=None,
        description="on the day on which the run ended; a report judges by its own day; null: the "
        "run did not end",
    )
    violations: list[str] = Field(
        default_factory=list,
        description="the violated checks that it waives, or waived until it ran out: topology and "
        "id, as in `nat: nat.source_is_the_hosts[nat]`",
    )
    note: str | None = Field(default=None, description="why it waives nothing; else null")
