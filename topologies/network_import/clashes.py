# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of one run's XML files that no host can have side by side."""

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from pathlib import Path

from topologies.data_error import DataError
from topologies.network_import.places import place_of
from topologies.network_import.xml_reader import read_file
from topologies.topology import Topology

HINT = "change one of the two, or run each for itself"


def clashes(topologies: Sequence[Topology]) -> Iterator[DataError]:
    """Give what two networks of XML files both have, and a host has once.

    Args:
        topologies: those of one run; others than of XML files are not compared.
    """
    of_xml = [each for each in topologies if each.network.given is not None]
    for other, one in combinations(of_xml, 2):
        for key, mine, theirs in _figures(one, other):
            yield _clash(key, (one, mine), (other, theirs))


def _figures(one: Topology, other: Topology) -> Iterator[tuple[str, str, str]]:
    """Give the keys of which both have the same, with what each has."""
    first, second = (each.type.libvirt_name(each.network) or "" for each in (one, other))
    if first == second:
        yield "name", first, second
    for key in ("mac", "uuid"):
        values = [_value(each, key) for each in (one, other)]
        if values[0] is not None and values[0] == values[1]:
            yield key, values[0], values[0]
    # Several networks may be over one bridge of the host's, and on one physical network.
    if any(each.network.made_by == "host" for each in (one, other)):
        return
    bridges = [_written_bridge(each) for each in (one, other)]
    if bridges[0] is not None and bridges[0] == bridges[1]:
        yield "bridge", bridges[0], bridges[0]
    for mine, theirs in product(one.network.subnets, other.network.subnets):
        if mine.overlaps(theirs):
            yield "address", str(mine), str(theirs)
    prefixes = [each.network.address6 and each.network.address6.network for each in (one, other)]
    if prefixes[0] is not None and prefixes[0] == prefixes[1]:
        yield "address6", str(prefixes[0]), str(prefixes[0])


def _value(topology: Topology, key: str) -> str | None:
    given = topology.network.given
    value = topology.network.mac if key == "mac" else given and given.uuid
    return value.lower() if value else None


def _written_bridge(topology: Topology) -> str | None:
    """Return the bridge's name if the XML has it: else libvirt takes one that is free."""
    given = topology.network.given
    if given is None or given.file is None:
        return None
    return read_file(given.file).get("bridge", "name")


def _clash(key: str, one: tuple[Topology, str], other: tuple[Topology, str]) -> DataError:
    (mine, value), (theirs, others) = one, other
    file, line, path = _place(mine, key)
    where, number, _ = _place(theirs, key)
    what = f"{value} is also that of" if value == others else f"{value} overlaps {others} of"
    return DataError(
        f"{what} {where}:{number}; expected networks that one host can have",
        file=file,
        line=line,
        field=path,
        hint=HINT,
    )


def _place(topology: Topology, key: str) -> tuple[Path, int, str]:
    """Return file, line and path of a key in a topology's XML."""
    given = topology.network.given
    if given is None or given.file is None:
        raise LookupError(f"topology {topology.name} is not of an XML file")
    place = place_of(read_file(given.file), key)
    return given.file, place.line, place.path
