# SPDX-License-Identifier: GPL-2.0-or-later
"""The kind of host of a run record, by which records are put together in tables."""

from reports.record import RunRecord

Column = tuple[str, str]
"""Kind of host, with its profile if it has one, and release."""


def column_of(record: RunRecord) -> Column:
    """Return a record's kind of host and its release."""
    kind, profile = str(record.host.kind or "no host"), record.host.facts.get("profile")
    named = kind if profile is None else f"{kind} {profile}"
    return named, record.host.release or "unknown"


def named(column: Column) -> str:
    """Return a kind of host in words: `sandbox, Debian GNU/Linux 12 (bookworm)`."""
    return ", ".join(column)
