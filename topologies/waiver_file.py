# SPDX-License-Identifier: GPL-2.0-or-later
"""A file of waivers: violations that an operator knows of and accepts until a day.

`python -m topologies.waiver_file FILE` checks one and prints the record's entries as JSON.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contracts.exit_codes import EXIT_CONFORMS, EXIT_USAGE
from topologies import cli_names
from topologies.data_error import DataError, gathered, near_miss
from topologies.document_model import as_model, require_schema
from topologies.typed_waivers import DATE_HINT, WaiverEntry, day_of
from topologies.yaml_reader import Document, FieldPath, read

SCHEMA = "plumbline/waivers/1"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class WrittenWaiver(_Entry):
    """A waiver as a file has it."""

    id: str = Field(description="The claim, as in NT-09.")
    topology: str | None = Field(default=None, description="The topology; none: all.")
    until: str = Field(description="The last day of it (UTC), as in 2026-12-31.")
    why: str = Field(description="The reason, which every report shows.")


class WaiverFile(_Entry):
    """A file of waivers."""

    schema_name: str = Field(alias="schema", description=f"The format: {SCHEMA}.")
    waivers: Annotated[tuple[WrittenWaiver, ...], Field(strict=False)] = Field(
        description="The waivers."
    )


def load(file: Path) -> list[WaiverEntry]:
    """Return the waivers of a file, each with its line.

    Raises:
        DataError: it has errors; all of them.
    """
    document = read(file)
    require_schema(document, SCHEMA)
    written = as_model(document, WaiverFile)
    errors = [e for n, each in enumerate(written.waivers) for e in _errors(document, n, each)]
    if errors:
        raise gathered(errors)
    return [
        {
            "id": each.id,
            "topology": each.topology,
            "until": each.until,
            "why": " ".join(each.why.split()),
            "source": f"{file.name}:{document.line(('waivers', number))}",
        }
        for number, each in enumerate(written.waivers)
    ]


def _errors(document: Document, number: int, waiver: WrittenWaiver) -> list[DataError]:
    at: FieldPath = ("waivers", number)
    known, found = cli_names.claim_ids(), []
    if waiver.id not in known:
        hint = near_miss(waiver.id, known) or "topologies/claims.yaml has the claims"
        message = f'unknown claim "{waiver.id}"; expected a claim'
        found.append(document.error((*at, "id"), message, hint))
    if day_of(waiver.until) is None:
        message = f'"{waiver.until}" is not a date; expected one'
        found.append(document.error((*at, "until"), message, DATE_HINT))
    if not waiver.why.strip():
        message = "the reason is empty; expected one"
        found.append(document.error((*at, "why"), message, "name the cause, and who decided it"))
    return found


def main(argv: Sequence[str]) -> int:
    """Print the entries of a file, or what is wrong with it."""
    try:
        entries = load(Path(argv[0]))
    except DataError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    print(json.dumps(entries))
    return EXIT_CONFORMS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
