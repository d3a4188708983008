# SPDX-License-Identifier: GPL-2.0-or-later
"""Promises: each cell of the table once, with ends that exist and claims that apply."""

from collections.abc import Iterator
from typing import Final

from contracts.address_family import FAMILIES, AddressFamily
from topologies.catalogue import claims
from topologies.data_error import near_miss
from topologies.network_types.network_type import CELLS
from topologies.rules.draft import Draft, Problem


def cells(draft: Draft) -> Iterator[Problem]:
    """A promise is about a cell of the table, and no cell is promised twice."""
    first: dict[tuple[str, str, AddressFamily], int] = {}
    for index, promise in draft.promises.items():
        cell = (promise.from_, promise.to)
        if cell not in CELLS:
            known = ", ".join(f"{a} → {b}" for a, b in CELLS)
            yield Problem(
                ("promises", index),
                f"{promise.cell} is not a cell of the table of who reaches whom; expected one of "
                f"{known}",
                "remove it",
            )
        about = [(*cell, family) for family in FAMILIES if promise.is_about(family)]
        if (earlier := next((first[each] for each in about if each in first), None)) is not None:
            before = draft.promises[earlier]
            same = "the same" if before.reach == promise.reach else "the opposite"
            yield Problem(
                ("promises", index),
                f"{promise.cell} is promised again, and {same} in promises[{earlier}]; "
                "expected one promise per cell and address family",
                "remove one of the two",
            )
        for each in about:
            first.setdefault(each, index)


def outside_exists(draft: Draft) -> Iterator[Problem]:
    """A promise about the outside needs a physical network that it is on."""
    if not draft.lacks_outside:
        return
    for index, promise in draft.promises.items():
        for key, role in (("from", promise.from_), ("to", promise.to)):
            if role == "outside":
                yield Problem(
                    ("promises", index, key),
                    f"{promise.cell} needs an outside, and physical is null; expected a "
                    "physical network",
                    "describe it under physical, or remove the promise",
                )


def sources(draft: Draft) -> Iterator[Problem]:
    """The source address is given only where packets arrive outside."""
    for index, promise in draft.promises.items():
        if promise.source is None:
            continue
        if promise.to != "outside" or not promise.reach:
            yield Problem(
                ("promises", index, "source"),
                f"{promise.source} is the source address of packets outside, and by this promise "
                "none arrives there; expected null",
                "leave it out",
            )


def claims_apply(draft: Draft) -> Iterator[Problem]:
    """The claims of a promise are known, named once, about this type, and promise the same."""
    known = claims()
    for index, promise in draft.promises.items():
        for position, claim_id in enumerate(promise.claims):
            path = ("promises", index, "claims", position)
            claim = known.get(claim_id)
            if claim is None:
                yield Problem(
                    path,
                    f'"{claim_id}" is not in the catalogue of claims; expected an id as in NT-10',
                    near_miss(claim_id.upper(), known) or "see topologies/claims.yaml",
                )
            elif claim_id in promise.claims[:position]:
                yield Problem(path, f"{claim_id} is named twice; expected once", "remove one")
            elif draft.kind is not None and not claim.applies_to(
                draft.kind, draft.under_test.switch if draft.under_test else None
            ):
                switch = "" if claim.switch is None else f" on switch {claim.switch}"
                yield Problem(
                    path,
                    f"{claim_id} is not about kind {draft.kind} here, but about "
                    f"{', '.join(claim.types)}{switch}; expected a claim about it",
                    "remove it: a promise may decide no claim, as in claims: []",
                )
            elif claim.says(promise.from_, promise.to) != promise.reach:
                word = str(promise.reach).lower()
                yield Problem(
                    path,
                    f"{claim_id} does not promise {promise.cell} with reach {word}; its statement: "
                    f"{claim.statement}",
                    "remove it: a promise may decide no claim, as in claims: []",
                )


def floors(draft: Draft) -> Iterator[Problem]:
    """No more UDP can arrive than is sent."""
    if draft.throughput is None:
        return
    floor, offered = draft.throughput.guest_host_udp_mbit_s, draft.throughput.udp_offered_mbit_s
    if floor > offered:
        yield Problem(
            ("throughput", "guest_host_udp_mbit_s"),
            f"the floor {floor:g} Mbit/s is above the {offered:g} Mbit/s that are sent; expected "
            "at most what is sent",
            "lower it, or raise udp_offered_mbit_s",
        )


RULES: Final = (cells, outside_exists, sources, claims_apply, floors)
