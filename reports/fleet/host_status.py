# SPDX-License-Identifier: GPL-2.0-or-later
"""The status file of a host, `status.json`: how far the playbook came with it.

The playbook writes it before each step, with what holds if nothing follows: a host that is lost,
or a playbook that is killed, leaves a true one.
"""

from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from contracts.language import gettext_noop
from reports.record import explain
from reports.record_types import Moment, RecordPart
from reports.report_error import ReportError

STATUS = "status.json"
STATUS_SCHEMA: Literal["plumbline/host-status/1"] = "plumbline/host-status/1"


class HostState(StrEnum):
    """What became of a host; the last three are found by the report, and in no status file."""

    RAN = "ran"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    DIED = "died"
    OTHER_VERSION = "other-version"
    UNREADABLE = "unreadable"
    NO_RECORD = "no-record"


STATE_MEANINGS = {
    HostState.RAN: gettext_noop("its run came to its end"),
    HostState.UNREACHABLE: gettext_noop("it did not answer"),
    HostState.REFUSED: gettext_noop("it answered, and a run could not begin on it"),
    HostState.DIED: gettext_noop("its run began, and did not come to its end"),
    HostState.OTHER_VERSION: gettext_noop(
        "its record has the schema of another version of Plumbline"
    ),
    HostState.UNREADABLE: gettext_noop("its record or its status file is none that can be read"),
    HostState.NO_RECORD: gettext_noop(
        "its folder has neither a record nor a status that explains it"
    ),
}


class HostStatus(RecordPart):
    """How far the playbook came with a host.

    A host that ran has its record beside this file; any other may have one.
    """

    schema_: Literal["plumbline/host-status/1"] = Field(default=STATUS_SCHEMA, alias="schema")
    state: Literal["ran", "unreachable", "refused", "died"]
    reason: str | None = Field(default=None, description="the error, or null where there is none")
    at: Moment = Field(description="when that was found")
    exit_code: int | None = Field(default=None, description="of the run; null: not known")
    groups: list[str] = Field(
        default_factory=list, description="the groups of the inventory that the host is in"
    )


def load_status(folder: Path) -> HostStatus | None:
    """Return the status in a host's folder; None: there is none.

    Raises:
        ReportError: it cannot be read, or is none.
    """
    file = folder / STATUS
    try:
        return HostStatus.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ReportError(f"{file}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ReportError(
            f"{file}: not a {STATUS_SCHEMA}: {explain(error)}", "docs/fleet.md has its keys"
        ) from error
