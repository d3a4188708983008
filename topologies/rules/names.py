# SPDX-License-Identifier: GPL-2.0-or-later
"""Names, MACs and UUIDs: each is unique."""

from collections.abc import Iterable, Iterator
from typing import Final

from topologies.data_error import near_miss
from topologies.rules.draft import Draft, Problem
from topologies.yaml_reader import FieldPath, field_name

Used = Iterable[tuple[FieldPath, str]]


def _repeated(used: Used, what: str, hint: str) -> Iterator[Problem]:
    first: dict[str, FieldPath] = {}
    for path, value in used:
        if value in first:
            yield Problem(
                path,
                f"{what} {value} is already that of {field_name(first[value])}; "
                "expected another one",
                hint,
            )
        else:
            first[value] = path


def network_names(draft: Draft) -> Iterator[Problem]:
    """Two networks have two names, and so have the libvirt networks over them."""
    names: list[tuple[FieldPath, str]] = []
    for index, network in draft.networks.items():
        names.append((("networks", index, "name"), network.name))
        # A bridge made by the host is no libvirt network: a libvirt network may have its name.
        if network.libvirt_name not in (None, network.name):
            names.append((("networks", index, "libvirt_name"), str(network.libvirt_name)))
    yield from _repeated(names, "the network name", "rename one of the two")


def bridges(draft: Draft) -> Iterator[Problem]:
    """Two networks have two bridges, and a bridge has not the name of the uplink."""
    used: list[tuple[FieldPath, str]] = []
    if draft.physical is not None:
        used.append((("physical", "uplink"), draft.physical.uplink))
    used += [
        (("networks", i, "bridge"), n.bridge_name)
        for i, n in draft.networks.items()
        if n.bridge_name is not None
    ]
    yield from _repeated(used, "the interface name", "give each network a bridge of its own")


def guest_names(draft: Draft) -> Iterator[Problem]:
    """Two guests have two names."""
    used = [(("guests", i, "name"), g.name) for i, g in draft.guests.items()]
    yield from _repeated(used, "the guest name", "rename one of the two")


def macs(draft: Draft) -> Iterator[Problem]:
    """A MAC belongs to one interface."""
    used: list[tuple[FieldPath, str]] = [
        (("networks", i, "mac"), n.mac) for i, n in draft.networks.items() if n.mac is not None
    ]
    used += [(("guests", i, "mac"), g.mac) for i, g in draft.guests.items()]
    yield from _repeated(used, "the MAC", "change the last octets of one of the two")


def tap_macs(draft: Draft) -> Iterator[Problem]:
    """A guest's MAC does not begin with fe: that is how the MAC of its TAP begins (GN-02)."""
    for index, guest in draft.guests.items():
        if guest.mac.startswith("fe:"):
            yield Problem(
                ("guests", index, "mac"),
                f"{guest.mac} begins with fe, which the TAP of a guest has as its first octet; "
                "expected another first octet",
                "write it below QEMU's prefix 52:54:00",
            )


def uuids(draft: Draft) -> Iterator[Problem]:
    """Two libvirt networks have two UUIDs."""
    used = [(("networks", i, "uuid"), str(n.uuid)) for i, n in draft.networks.items() if n.uuid]
    yield from _repeated(used, "the UUID", "make another with uuidgen, or write null")


def guests_on_known_networks(draft: Draft) -> Iterator[Problem]:
    """A guest names one of the file's networks."""
    if "networks" in draft.lacks or not draft.networks:
        return  # the one that is meant may be among those that were refused
    known = [network.name for network in draft.networks.values()]
    for index, guest in draft.guests.items():
        if guest.network not in known:
            yield Problem(
                ("guests", index, "network"),
                f'there is no network "{guest.network}"; expected one of {", ".join(known)}',
                near_miss(guest.network, known) or "name one of them, or add it under networks",
            )


RULES: Final = (
    network_names,
    bridges,
    guest_names,
    macs,
    tap_macs,
    uuids,
    guests_on_known_networks,
)
