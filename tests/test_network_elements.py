# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of libvirt's elements: it lacks none of libvirt's own schema, and the docs show it."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from topologies.catalogue import claims
from topologies.made_table import DOCS
from topologies.network_import.element_page import made
from topologies.network_import.element_table import RULES

# Installed with libvirt's library (ci/packages).
SCHEMAS = Path("/usr/share/libvirt/schemas")
RNG = "{http://relaxng.org/ns/structure/1.0}"
DNSMASQ = "http://libvirt.org/schemas/network/dnsmasq/1.0"


class Schema:
    """libvirt's RELAX NG schema of a network, with what it includes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._defined: dict[str, list[ET.Element]] = {}
        start = self._read("network.rng").find(f"{RNG}start")
        assert start is not None
        self._start = start

    def _read(self, name: str) -> ET.Element:
        root = ET.parse(self._folder / name).getroot()
        for included in root.iter(f"{RNG}include"):
            self._read(included.get("href", ""))
        for defined in root.iter(f"{RNG}define"):
            self._defined.setdefault(defined.get("name", ""), []).append(defined)
        return root

    def places(self) -> list[str]:
        """Return each element and attribute by its path."""
        return list(dict.fromkeys(self._below(self._start, "", frozenset())))

    def _below(
        self, node: ET.Element, path: str, within: frozenset[str], space: str = ""
    ) -> Iterator[str]:
        """Give the places below a pattern; `space` is the namespace of the elements around it."""
        for child in node:
            kind, name = child.tag.removeprefix(RNG), child.get("name", "")
            own = child.get("ns", space)
            if kind == "ref":
                if name not in within:
                    for defined in self._defined[name]:
                        yield from self._below(defined, path, within | {name})
            elif kind == "attribute" and name:
                yield f"{path}@{name}"
            elif kind == "element":
                # Without a name it is any element, of somebody's metadata.
                if name:
                    prefix = "dnsmasq:" if own == DNSMASQ else ""
                    place = f"{path}/{prefix}{name}".removeprefix("/")
                    yield place
                    yield from self._below(child, place, within, own)
            else:
                yield from self._below(child, path, within, own)


@pytest.mark.host
def test_no_element_of_libvirts_schema_is_missing_from_the_table() -> None:
    places = Schema(SCHEMAS).places()
    # The schema was read whole: its first, its last, and one of an included file.
    assert {"network", "network/dnsmasq:options", "network/route@gateway"} <= set(places)
    assert len(places) > 150
    assert [place for place in places if place not in RULES] == []


def test_the_table_knows_each_element_around_another() -> None:
    for place in RULES:
        around = place.partition("@")[0].rpartition("/")[0]
        assert not around or around in RULES, place


def test_what_is_used_or_checked_says_by_what() -> None:
    for place, rule in RULES.items():
        assert rule.by or rule.treatment == "not looked at", place
        assert rule.by or not rule.values, place


def test_each_claim_of_the_table_is_in_the_catalogue() -> None:
    named = {claim for rule in RULES.values() for claim in rule.undecides}
    assert named <= set(claims())


def test_the_documentation_shows_the_table() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert made().written(text) == text, "python -m topologies.network_import.element_page"
