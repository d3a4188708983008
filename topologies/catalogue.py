# SPDX-License-Identifier: GPL-2.0-or-later
"""The catalogue of claims: every documented statement that a check can decide."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from topologies.data_error import gathered
from topologies.schema import Switch
from topologies.schema_errors import refusals
from topologies.yaml_reader import Document, read

CATALOGUE = Path(__file__).resolve().with_name("claims.yaml")

ClaimKind = Literal["linux-bridge", "ovs", "nat", "isolated", "bridged", "passthrough", "host"]
"""The kinds of topology, and `host` for claims about the host without a topology."""
Level = Literal["required", "named"]
"""`required`: a document states it as what happens. `named`: a document names the feature."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Claim(_Entry):
    """One documented statement.

    Attributes of the section that it stands in are part of it, so that a claim can be read alone.
    """

    id: str = Field(pattern=r"^[A-Z]{2}-[0-9]{2}$", description="Stable id, as in NT-08.")
    level: Level = Field(description="Whether a document states it or only names the feature.")
    statement: str = Field(min_length=1, description="What holds.")
    section: str = Field(min_length=1, description="Title of the section it stands in.")
    kinds: tuple[ClaimKind, ...] = Field(min_length=1, description="Kinds of topology it is about.")
    switch: Literal["linux", "ovs"] | None = Field(
        default=None, description="The only switch it is about; null: any."
    )
    sources: tuple[str, ...] = Field(min_length=1, description="The documents it comes from.")

    def applies_to(self, kind: ClaimKind, switch: Switch | None = None) -> bool:
        """Tell whether the claim is about a kind of topology on a switch (None: whichever)."""
        return kind in self.kinds and (switch is None or self.switch in (None, switch))


class _WrittenClaim(_Entry):
    id: str = Field(pattern=r"^[A-Z]{2}-[0-9]{2}$", description="Stable id, as in NT-08.")
    level: Level = Field(description="required or named.")
    sources: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        min_length=1, description="Ids of documents."
    )
    kinds: Annotated[tuple[ClaimKind, ...] | None, Field(strict=False)] = Field(
        default=None, description="Kinds, where they are not the section's."
    )
    switch: Literal["linux", "ovs"] | None = Field(default=None, description="The only switch.")
    statement: str = Field(min_length=1, description="What holds.")


class _Section(_Entry):
    prefix: str = Field(pattern=r"^[A-Z]{2}$", description="First letters of its ids.")
    title: str = Field(min_length=1, description="Its title.")
    kinds: Annotated[tuple[ClaimKind, ...], Field(strict=False)] = Field(
        min_length=1, description="Kinds of topology its claims are about."
    )
    claims: Annotated[tuple[_WrittenClaim, ...], Field(strict=False)] = Field(
        min_length=1, description="Its claims."
    )


class _Catalogue(_Entry):
    schema_name: Literal["plumbline/claims/1"] = Field(alias="schema", description="The format.")
    documents: dict[str, str] = Field(min_length=1, description="Title of each document by id.")
    sections: Annotated[tuple[_Section, ...], Field(strict=False)] = Field(
        min_length=1, description="The sections in order."
    )


def claims() -> Mapping[str, Claim]:
    """Return every claim by its id, in the catalogue's order.

    Raises:
        DataError: The catalogue in this checkout is damaged.
    """
    return _loaded(CATALOGUE)[0]


def documents() -> Mapping[str, str]:
    """Return the title of each source by its id, D1 to D5 and the project's own `card`.

    Raises:
        DataError: The catalogue in this checkout is damaged.
    """
    return _loaded(CATALOGUE)[1]


@cache
def _loaded(file: Path) -> tuple[Mapping[str, Claim], Mapping[str, str]]:
    document = read(file)
    try:
        catalogue = _Catalogue.model_validate(document.data)
    except ValidationError as error:
        raise gathered(refusals(error, document, _Catalogue)) from error
    return (
        MappingProxyType(_by_id(catalogue, document)),
        MappingProxyType(dict(catalogue.documents)),
    )


def _by_id(catalogue: _Catalogue, document: Document) -> dict[str, Claim]:
    result: dict[str, Claim] = {}
    errors = []
    for number, section in enumerate(catalogue.sections):
        for index, written in enumerate(section.claims):
            path = ("sections", number, "claims", index)
            if written.id in result or not written.id.startswith(f"{section.prefix}-"):
                message = f"{written.id}; expected an unused id that starts with {section.prefix}-"
                errors.append(document.error((*path, "id"), message, "number it anew"))
            for source in written.sources:
                if source not in catalogue.documents:
                    message = f"{source} is not a document; expected one of " + ", ".join(
                        catalogue.documents
                    )
                    errors.append(document.error((*path, "sources"), message, "correct it"))
            result[written.id] = Claim(
                id=written.id,
                level=written.level,
                statement=written.statement,
                section=section.title,
                kinds=written.kinds or section.kinds,
                switch=written.switch,
                sources=written.sources,
            )
    if errors:
        raise gathered(errors)
    return result
