# SPDX-License-Identifier: GPL-2.0-or-later
"""Find and read faults: the shipped ones by id, a user's own by the path of their file."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faults.fault import SCHEMA, SHIPPED_FOLDER, Fault
from topologies import cli_names
from topologies.catalogue import claims
from topologies.data_error import DataError, gathered, near_miss
from topologies.schema_errors import refusals
from topologies.yaml_reader import Document, read


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    schema_name: str = Field(alias="schema", description=f"The format: {SCHEMA}.")
    faults: Annotated[tuple[Fault, ...], Field(strict=False)] = Field(
        min_length=1, description="The faults."
    )


def load_all(ids_or_paths: Sequence[str] = ()) -> tuple[Fault, ...]:
    """Return faults, each once.

    Args:
        ids_or_paths: ids of shipped faults, and paths of .yaml or .yml files for all faults in
            them; without any, every shipped fault.

    Raises:
        DataError: there is no such fault, a file is wrong, or two faults have one id.
    """
    found: dict[str, Fault] = {}
    errors: list[DataError] = []
    for word in ids_or_paths or _shipped():
        try:
            named = _named(word)
        except DataError as error:
            errors.append(error)
            continue
        for fault in named:
            if found.setdefault(fault.id, fault) is not fault and found[fault.id] != fault:
                errors.append(
                    DataError(
                        f'"{fault.id}" is the id of two different faults',
                        file=Path(fault.canonical()),
                        hint="rename your own",
                    )
                )
    if errors:
        raise gathered(errors)
    return tuple(found.values())


def _named(word: str) -> Iterable[Fault]:
    cli_names.require_faults([word], _shipped())
    return [_shipped()[word]] if word in _shipped() else _read(Path(word))


@cache
def _shipped() -> dict[str, Fault]:
    files = sorted(SHIPPED_FOLDER.glob("*.yaml"))
    return {fault.id: fault for file in files for fault in _read(file)}


def _read(file: Path) -> tuple[Fault, ...]:
    document = read(file)
    if document.data.get("schema") != SCHEMA:
        raise document.error(
            ("schema",), f"expected {SCHEMA}", f"start the file with schema: {SCHEMA}"
        )
    try:
        whole = _File.model_validate(document.data)
    except ValidationError as error:
        raise gathered(refusals(error, document, _File)) from error
    if wrong := list(_wrong(document, whole.faults)):
        raise gathered(wrong)
    return tuple(fault.read_from(file) for fault in whole.faults)


def _wrong(document: Document, faults: Iterable[Fault]) -> Iterator[DataError]:
    """Yield the errors beyond the shape: repeated ids, unknown claims."""
    seen: set[str] = set()
    for number, fault in enumerate(faults):
        at = ("faults", number)
        if fault.id in seen:
            yield document.error((*at, "id"), f'"{fault.id}" is used twice', "rename one of them")
        seen.add(fault.id)
        for field in ("caught_by", "also"):
            for entry in getattr(fault, field):
                if "." not in entry and entry not in claims():
                    yield document.error(
                        (*at, field),
                        f'unknown claim "{entry}"; expected a claim, or the beginning of a '
                        "check's id, as in connectivity.reach",
                        near_miss(entry, claims()) or "topologies/claims.yaml has the claims",
                    )
