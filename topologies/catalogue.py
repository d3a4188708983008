# SPDX-License-Identifier: GPL-2.0-or-later
"""The catalogue of claims: every documented statement that a check can decide."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from contracts.address_family import AddressFamily, FamilyName
from topologies.data_error import gathered, near_miss
from topologies.document_model import as_model
from topologies.field_types import found, refuse
from topologies.network_types import NETWORK_TYPES
from topologies.part import keys_of
from topologies.schema import Network, Role
from topologies.switch_types import SWITCH_TYPES
from topologies.yaml_reader import Document, read

ID = r"^[A-Z][A-Z0-9]-[0-9]{2}$"  # NT-08, V6-01
CATALOGUE = Path(__file__).resolve().with_name("claims.yaml")

SchemaName = Literal["plumbline/claims/1"]
SCHEMA: SchemaName = "plumbline/claims/1"

HOST = "host"
"""In `types`: claims about the host without a topology."""
Level = Literal["required", "named", "field"]
"""`required`: a document describes it. `named`: a document only names the feature. `field`: the
documents take it for granted, and people rely on it."""


def _one_of(known: Iterable[str]) -> Callable[[object], object]:
    words = tuple(known)

    def check(value: object) -> object:
        if value not in words:
            raise refuse(
                f"found {found(value)}; expected one of {', '.join(words)}",
                (near_miss(value, words) if isinstance(value, str) else "") or "correct it",
            )
        return value

    return check


_TypeName = Annotated[str, BeforeValidator(_one_of((*NETWORK_TYPES, HOST)))]
_NetworkKey = Annotated[str, BeforeValidator(_one_of(keys_of(Network)))]
_SwitchName = Annotated[str, BeforeValidator(_one_of(SWITCH_TYPES))]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ClaimCell(_Entry):
    """A cell of who reaches whom, with the promise of a claim."""

    from_: Role = Field(alias="from", description="The end that sends first.")
    to: Role = Field(description="The end that answers.")
    reach: bool = Field(description="Whether packets arrive and are answered.")


class Claim(_Entry):
    """One documented statement.

    It has its section's attributes as well, so that it can be read alone.
    """

    id: str = Field(pattern=ID, description="Stable id, as in NT-08.")
    level: Level = Field(description="What its sources say of it.")
    statement: str = Field(min_length=1, description="The statement.")
    section: str = Field(min_length=1, description="The title of its section.")
    types: tuple[str, ...] = Field(min_length=1, description="Network types it is about.")
    switch: str | None = Field(default=None, description="The only switch it is about; null: any.")
    cells: tuple[ClaimCell, ...] = Field(
        default=(), description="The cells of who reaches whom that decide it; none: checks do."
    )
    sources: tuple[str, ...] = Field(min_length=1, description="The documents it comes from.")
    keys: tuple[str, ...] = Field(
        default=(),
        description="Keys of a network, one of which a topology has to ask for; none: it need not.",
    )
    without: tuple[str, ...] = Field(
        default=(), description="Keys of a network, none of which a topology may ask for."
    )
    family: FamilyName | None = Field(
        default=None, description="The only address family it is about; null: any."
    )
    foundation: bool = Field(
        default=False,
        description="Whether it is violated where the host refuses to build the network.",
    )
    leases: bool = Field(
        default=False,
        description="Whether it is violated where the host keeps a guest from its DHCP server.",
    )
    advertisements: bool = Field(
        default=False,
        description="Whether it is violated where a guest takes no address of the host's prefix.",
    )

    def applies_to(self, type_: str, switch: str | None = None) -> bool:
        """Whether the claim is about a network type on a switch (None: any)."""
        return type_ in self.types and (switch is None or self.switch in (None, switch))

    def is_asked_of(self, network: Network) -> bool:
        """Whether a network asks for one of its keys, if it has any, and for none of `without`."""
        if any(network.asks_for(key) for key in self.without):
            return False
        return not self.keys or any(network.asks_for(key) for key in self.keys)

    def is_about(self, family: AddressFamily) -> bool:
        """Whether packets of a family can decide it."""
        return self.family in (None, family.name)

    def says(self, from_: str, to: str) -> bool | None:
        """Return whether one end reaches the other by this claim; None: it is about other cells."""
        return next((c.reach for c in self.cells if (c.from_, c.to) == (from_, to)), None)


class _WrittenClaim(_Entry):
    id: str = Field(pattern=ID, description="Stable id, as in NT-08.")
    level: Level = Field(description="required, named or field.")
    sources: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        min_length=1, description="Ids of documents."
    )
    types: Annotated[tuple[_TypeName, ...] | None, Field(strict=False)] = Field(
        default=None, description="Network types, in place of the section's."
    )
    switch: _SwitchName | None = Field(default=None, description="The only switch.")
    cells: Annotated[tuple[ClaimCell, ...], Field(strict=False)] = Field(
        default=(), description="The cells of who reaches whom that decide it."
    )
    keys: Annotated[tuple[_NetworkKey, ...], Field(strict=False)] = Field(
        default=(), description="Keys of a network, one of which a topology has to ask for."
    )
    without: Annotated[tuple[_NetworkKey, ...], Field(strict=False)] = Field(
        default=(), description="Keys of a network, none of which a topology may ask for."
    )
    family: FamilyName | None = Field(default=None, description="The only address family.")
    statement: str = Field(min_length=1, description="The statement.")
    foundation: bool = Field(
        default=False, description="Violated where the host refuses to build the network."
    )
    leases: bool = Field(
        default=False, description="Violated where the host keeps a guest from its DHCP server."
    )
    advertisements: bool = Field(
        default=False, description="Violated where a guest takes no address of the host's prefix."
    )


class _Section(_Entry):
    prefix: str = Field(pattern=r"^[A-Z][A-Z0-9]$", description="The beginning of its ids.")
    title: str = Field(min_length=1, description="Its title.")
    types: Annotated[tuple[_TypeName, ...], Field(strict=False)] = Field(
        min_length=1, description="Network types its claims are about."
    )
    claims: Annotated[tuple[_WrittenClaim, ...], Field(strict=False)] = Field(
        min_length=1, description="Its claims."
    )


class _Catalogue(_Entry):
    schema_name: SchemaName = Field(alias="schema", description="The format.")
    edition: int = Field(ge=1, description="Its number, one more with each change.")
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


def edition() -> int:
    """Return the catalogue's number, which `topologies/claims.editions` has with its digest.

    Raises:
        DataError: The catalogue in this checkout is damaged.
    """
    return _loaded(CATALOGUE)[2]


@cache
def _loaded(file: Path) -> tuple[Mapping[str, Claim], Mapping[str, str], int]:
    document = read(file)
    catalogue = as_model(document, _Catalogue)
    return (
        MappingProxyType(_by_id(catalogue, document)),
        MappingProxyType(dict(catalogue.documents)),
        catalogue.edition,
    )


def _by_id(catalogue: _Catalogue, document: Document) -> dict[str, Claim]:
    result: dict[str, Claim] = {}
    errors = []
    for number, section in enumerate(catalogue.sections):
        for index, written in enumerate(section.claims):
            path = ("sections", number, "claims", index)
            if written.id in result or not written.id.startswith(f"{section.prefix}-"):
                message = f"{written.id}; expected an unused id that starts with {section.prefix}-"
                errors.append(document.error((*path, "id"), message, "give it another id"))
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
                types=written.types or section.types,
                switch=written.switch,
                cells=written.cells,
                keys=written.keys,
                without=written.without,
                family=written.family,
                sources=written.sources,
                foundation=written.foundation,
                leases=written.leases,
                advertisements=written.advertisements,
            )
    if errors:
        raise gathered(errors)
    return result
