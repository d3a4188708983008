# SPDX-License-Identifier: GPL-2.0-or-later
"""Each network's maker, switch, forward mode and uplink, and the attachment of its guests."""

from collections.abc import Iterator
from typing import Final

from topologies.network_types import NETWORK_TYPES, find_type
from topologies.network_types.misfit import misfit
from topologies.rules.draft import Draft, Problem

GUESTS_MIN = 2


def kind_fits(draft: Draft) -> Iterator[Problem]:
    """The network under test is of the topology's kind."""
    network = draft.under_test
    if draft.kind is None or network is None:
        return
    wanted = NETWORK_TYPES[draft.kind]
    for key, found, fitting in (
        ("made_by", network.made_by, (wanted.made_by,)),
        ("switch", network.switch, wanted.switches),
        ("forward", network.forward, (wanted.forward,)),
    ):
        if found not in fitting:
            expected = " or ".join(fitting)
            yield Problem(
                ("networks", 0, key),
                f"{found} does not go with kind {draft.kind}; expected {expected}",
                f"write {key}: {expected}, or choose another kind",
            )


def networks(draft: Draft) -> Iterator[Problem]:
    """Each network is of one type; one that the file plans has the keys of its type."""
    for index, network in draft.networks.items():
        type_ = find_type(network)
        if type_ is not None and index not in draft.planned:
            continue
        breaches = type_.breaches(network) if type_ is not None else misfit(network)
        for key, what, hint in breaches:
            yield Problem(("networks", index, key), what, hint)


def uplinks(draft: Draft) -> Iterator[Problem]:
    """An uplink is the physical network's NIC, and a port of one bridge."""
    ports: dict[str | None, int] = {}
    for index, network in draft.planned.items():
        path = ("networks", index, "uplink")
        if not network.is_on_physical_network:
            continue
        if draft.has_no_physical:
            yield Problem(
                path,
                f"{network.uplink} needs a physical network, and physical is null; expected the "
                "network of this NIC",
                "describe it under physical, or write uplink: null",
            )
        elif draft.physical is not None and network.uplink != draft.physical.uplink:
            yield Problem(
                path,
                f"{network.uplink} is not the physical network's NIC; expected "
                f"{draft.physical.uplink}",
                "use one name in both places",
            )
        if network.uplink in ports:
            yield Problem(
                path,
                f"{network.uplink} is already a port of networks[{ports[network.uplink]}]; "
                "expected a port of one bridge",
                "write uplink: null on one of the two",
            )
        ports.setdefault(network.uplink, index)


def guests_fit(draft: Draft) -> Iterator[Problem]:
    """A guest is attached as the type of its network allows."""
    for index, guest in draft.guests.items():
        if (network := draft.network_of(guest)) is None or (type_ := find_type(network)) is None:
            continue
        for key, what, hint in type_.guest_breaches(network, guest):
            yield Problem(("guests", index, key), what, hint)
    network = draft.planned.get(0)
    if network is None or "guests" in draft.lacks or (type_ := find_type(network)) is None:
        return
    count = sum(guest.network == network.name for guest in draft.guests.values())
    for key, what, hint in type_.size_breaches(network, count):
        yield Problem(("networks", 0, key), what, hint)


def guests_under_test(draft: Draft) -> Iterator[Problem]:
    """At least two guests are on the network under test, to reach each other."""
    network = draft.under_test
    if network is None or "guests" in draft.lacks or len(draft.guests) < GUESTS_MIN:
        return  # too few guests at all is an error of the list itself
    if any(draft.network_of(guest) is None for guest in draft.guests.values()):
        return  # the missing network may be this one
    count = sum(guest.network == network.name for guest in draft.guests.values())
    if count < GUESTS_MIN:
        yield Problem(
            ("guests",),
            f"{count} of the guests are on {network.name}, the network under test; expected "
            f"{GUESTS_MIN} or more",
            f"put more guests on {network.name}, or write the network you meant first",
        )


def one_origin(draft: Draft) -> Iterator[Problem]:
    """A topology's networks are all made by the run, or all the host's."""
    origins = {index: network.origin for index, network in draft.networks.items()}
    for index, origin in origins.items():
        first = origins.get(0, origin)
        if origin != first:
            yield Problem(
                ("networks", index, "origin"),
                f"{origin} beside a network that is {first}; expected {first}",
                "put the networks into two files",
            )


def existing_have_no_physical(draft: Draft) -> Iterator[Problem]:
    """What is beyond an existing network is there too: the run makes no physical network for it."""
    if draft.physical is not None and draft.networks and not draft.planned:
        yield Problem(
            ("physical",),
            "a physical network is made for the networks of a run, and these are existing ones; "
            "expected null",
            "write physical: null, or origin: made",
        )


RULES: Final = (
    kind_fits,
    one_origin,
    existing_have_no_physical,
    networks,
    uplinks,
    guests_fit,
    guests_under_test,
)
