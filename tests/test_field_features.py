# SPDX-License-Identifier: GPL-2.0-or-later
"""The features that networks of the field need: each has a key, and networks that use it."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.field_networks import FOLDER
from topologies import library
from topologies.part import keys_of
from topologies.schema import Network

DOCS = Path(__file__).resolve().parent.parent / "docs" / "topologies.md"
TITLE = "### Networks of the field, by feature"
# Networks looked at, those that need nothing beyond the first model, and how many may be left over.
LOOKED_AT, PLAIN, LEFT_MAX = 59, 27, 4
# "| domain | 15 | `domain` | `virt-manager-nat`, `domain-open` |"
ROW = re.compile(r"\| ([^|`]+) \| (\d+) \| ([^|]+) \| ([^|]+) \|")
CODE = re.compile(r"`([^`]+)`")


class Feature(NamedTuple):
    """A row of the table."""

    name: str
    count: int
    keys: list[str]
    networks: list[str]
    key_cell: str


def features() -> list[Feature]:
    section = DOCS.read_text(encoding="utf-8").partition(TITLE)[2].partition("\n## ")[0]
    return [
        Feature(name, int(count), CODE.findall(keys), CODE.findall(networks), keys)
        for name, count, keys, networks in ROW.findall(section)
    ]


FEATURES = features()


def network(name: str) -> Network:
    return library.load(str(FOLDER / f"{name}.xml")).network


def test_the_table_has_the_features_that_were_counted() -> None:
    assert sorted((each.count for each in FEATURES), reverse=True) == [15, 7, 7, 5, 5, 3, 3, 2, 2]
    assert str(LOOKED_AT) in DOCS.read_text(encoding="utf-8").partition(TITLE)[2][:200]


def test_at_least_55_of_59_are_expressible() -> None:
    known = set(keys_of(Network))
    without = [each for each in FEATURES if not each.keys or not known.issuperset(each.keys)]
    # A network that needs two of them counts twice here: there may be fewer, and not more.
    left = sum(each.count for each in without)
    assert left <= LEFT_MAX, [each.name for each in without]
    assert LOOKED_AT - left >= 55 > PLAIN


@pytest.mark.parametrize("feature", FEATURES, ids=[each.name for each in FEATURES])
def test_each_feature_is_that_of_networks_that_are_run(feature: Feature) -> None:
    assert feature.networks
    for name in feature.networks:
        used = network(name)
        if " without " in feature.key_cell:
            has, lacks = feature.keys
            assert used.asks_for(has)
            assert not used.asks_for(lacks)
        else:
            assert any(used.asks_for(key) for key in feature.keys), name
    asked = {
        key for name in feature.networks for key in feature.keys if network(name).asks_for(key)
    }
    assert " without " in feature.key_cell or asked == set(feature.keys)


def test_the_range_of_its_row_holds_the_bridges_address() -> None:
    [feature] = [each for each in FEATURES if each.keys == ["dhcp.start"]]
    for name in feature.networks:
        used = network(name)
        assert used.address is not None
        assert used.dhcp_range is not None
        assert used.address.ip in used.dhcp_range
