# SPDX-License-Identifier: GPL-2.0-or-later
"""What is different about the hosts of two runs."""

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from reports.compare.comparison import FactChange
from reports.record import HostRecord

TOPOLOGIES = "topologies."


def facts(before: HostRecord, after: HostRecord) -> list[FactChange]:
    """Return the facts that differ, nested ones by their dotted path.

    A fact that changed in the same way on several topologies is listed once.
    """
    was, now = dict(_flat(before)), dict(_flat(after))
    # Facts of a topology that only one of the runs built are no facts of the host.
    both = set(_topologies(before)) & set(_topologies(after))
    found = [
        FactChange(name=name, before=was.get(name), after=now.get(name))
        for name in dict.fromkeys([*was, *now])
        if was.get(name) != now.get(name) and _of_both(name, both)
    ]
    return _gathered(found)


def _flat(host: HostRecord) -> Iterator[tuple[str, JsonValue]]:
    yield "kind", host.kind
    yield "release", host.release
    yield "accelerator", host.accel.name if host.accel else None
    yield from _below("", host.facts)


def _below(prefix: str, value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _below(f"{prefix}.{key}" if prefix else key, each)
    else:
        yield prefix, value


def _topologies(host: HostRecord) -> Mapping[str, JsonValue]:
    known = host.facts.get("topologies")
    return known if isinstance(known, dict) else {}


def _of_both(name: str, both: set[str]) -> bool:
    if not name.startswith(TOPOLOGIES):
        return True
    return any(name.startswith(f"{TOPOLOGIES}{topology}.") for topology in both)


def _gathered(found: list[FactChange]) -> list[FactChange]:
    """Put together what differs in the same way on several topologies."""
    places: dict[tuple[str, str], list[str]] = {}
    kept: dict[tuple[str, str], FactChange] = {}
    for fact in found:
        topology, _, name = fact.name.removeprefix(TOPOLOGIES).partition(".")
        if not fact.name.startswith(TOPOLOGIES):
            topology, name = "", fact.name
        key = name, f"{fact.before!r} {fact.after!r}"
        places.setdefault(key, []).append(topology)
        kept.setdefault(key, fact.model_copy(update={"name": name}))
    return [
        fact.model_copy(update={"name": f"{fact.name} ({', '.join(places[key])})"})
        if places[key] != [""]
        else fact
        for key, fact in kept.items()
    ]
