# SPDX-License-Identifier: GPL-2.0-or-later
"""Find and read faults: the shipped ones by id, a user's own by the path of their file."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from faults.change import SHIPPED_FOLDER, Change
from faults.fault import Fault
from faults.harmless import Harmless
from topologies import cli_names
from topologies.catalogue import claims
from topologies.data_error import DataError, gathered, near_miss
from topologies.document_model import as_model, require_schema
from topologies.yaml_reader import Document, read

SCHEMA = "plumbline/faults/1"


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    schema_name: str = Field(alias="schema", description=f"The format: {SCHEMA}.")
    faults: Annotated[tuple[Fault, ...], Field(strict=False)] = Field(
        default=(), description="The faults."
    )
    harmless: Annotated[tuple[Harmless, ...], Field(strict=False)] = Field(
        default=(), description="The harmless changes."
    )


def load_all(ids_or_paths: Sequence[str] = ()) -> tuple[Change, ...]:
    """Return faults and harmless changes, each once.

    Args:
        ids_or_paths: ids of shipped ones, and paths of .yaml or .yml files for all in them;
            without any, every shipped one.

    Raises:
        DataError: there is none of that name, a file is wrong, or two have one id.
    """
    found: dict[str, Change] = {}
    errors: list[DataError] = []
    for word in ids_or_paths or _shipped():
        try:
            named = _named(word)
        except DataError as error:
            errors.append(error)
            continue
        for change in named:
            if found.setdefault(change.id, change) is not change and found[change.id] != change:
                errors.append(
                    DataError(
                        f'"{change.id}" is the id of two different faults',
                        file=Path(change.canonical()),
                        hint="rename your own",
                    )
                )
    if errors:
        raise gathered(errors)
    return tuple(found.values())


def _named(word: str) -> Iterable[Change]:
    cli_names.require_faults([word], _shipped())
    return [_shipped()[word]] if word in _shipped() else _read(Path(word))


@cache
def _shipped() -> dict[str, Change]:
    files = sorted(SHIPPED_FOLDER.glob("*.yaml"))
    return {change.id: change for file in files for change in _read(file)}


def _read(file: Path) -> tuple[Change, ...]:
    document = read(file)
    require_schema(document, SCHEMA)
    whole = as_model(document, _File)
    if wrong := list(_wrong(document, whole)):
        raise gathered(wrong)
    return tuple(change.read_from(file) for change in (*whole.faults, *whole.harmless))


def _wrong(document: Document, whole: _File) -> Iterator[DataError]:
    """Yield the errors beyond the shape: nothing in it, repeated ids, unknown claims."""
    if not (whole.faults or whole.harmless):
        yield document.error(
            ("schema",), "the file has no fault", "add one under faults, or under harmless"
        )
    seen: set[str] = set()
    changes: tuple[tuple[str, tuple[Change, ...]], ...] = (
        ("faults", whole.faults),
        ("harmless", whole.harmless),
    )
    for key, listed in changes:
        for number, change in enumerate(listed):
            at = (key, number)
            if change.id in seen:
                yield document.error(
                    (*at, "id"), f'"{change.id}" is used twice', "rename one of them"
                )
            seen.add(change.id)
            if change.needs_own_build and change.undo is not None:
                first = "before_build" if change.before is None else "before"
                yield document.error(
                    (*at, "undo"),
                    f"a topology that was built behind `{first}` serves no other change",
                    "leave out undo, and let apply take back what may outlast the topology",
                )
            yield from _unknown_claims(document, at, change)


def _unknown_claims(document: Document, at: tuple[str, int], change: Change) -> Iterator[DataError]:
    for field in ("caught_by", "also", "lengthy"):
        for entry in getattr(change, field, ()):
            if "." not in entry and entry not in claims():
                yield document.error(
                    (*at, field),
                    f'unknown claim "{entry}"; expected a claim, or the beginning of a '
                    "check's id, as in connectivity.reach",
                    near_miss(entry, claims()) or "topologies/claims.yaml has the claims",
                )
