# SPDX-License-Identifier: GPL-2.0-or-later
"""The catalogue holds every documented claim, once, with its level, types and sources."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from topologies import catalogue, library
from topologies.data_error import DataError
from topologies.network_types import NETWORK_TYPES

# Ids are stable: what is here is never reused and never renumbered.
# fmt: off
IDS = [
    "GN-01", "GN-02", "GN-03", "GN-04", "GN-05", "GN-06", "GN-07", "GN-08",
    "GN-09", "GN-10", "GN-11",
    "LB-01", "LB-02", "LB-03", "LB-04", "LB-05", "LB-06", "LB-07", "LB-08",
    "LB-09", "LB-10", "LB-11", "LB-12", "LB-13",
    "LB-14",
    "OV-01", "OV-02", "OV-03", "OV-04", "OV-05", "OV-06", "OV-07", "OV-08",
    "OV-09", "OV-10", "OV-11", "OV-12", "OV-13", "OV-14", "OV-15", "OV-16",
    "OV-17", "OV-18", "OV-19",
    "NT-01", "NT-02", "NT-03", "NT-04", "NT-05", "NT-06", "NT-07", "NT-08",
    "NT-09", "NT-10", "NT-11", "NT-12", "NT-13", "NT-14", "NT-15", "NT-16",
    "NT-17", "NT-18", "NT-19", "NT-20", "NT-21", "NT-22", "NT-23", "NT-24",
    "NT-25",
    "DN-01", "DN-02", "DN-03", "DN-04", "DN-05", "DN-06", "DN-07", "DN-08",
    "DN-09",
    "DH-01", "DH-02", "DH-03", "DH-04", "DH-05", "DH-06", "DH-07", "DH-08",
    "IS-01", "IS-02", "IS-03", "IS-04", "IS-05", "IS-06",
    "RT-01", "RT-02", "RT-03", "RT-04", "RT-05", "RT-06", "RT-07",
    "OP-01", "OP-02", "OP-03", "OP-04", "OP-05", "OP-06", "OP-07",
    "BR-01", "BR-02", "BR-03", "BR-04", "BR-05", "BR-06", "BR-07", "BR-08",
    "BR-09", "BR-10", "BR-11", "BR-12", "BR-13", "BR-14", "BR-15", "BR-16",
    "BR-17", "BR-18",
    "UN-01", "UN-02",
    "V6-01", "V6-02", "V6-03", "V6-04", "V6-05", "V6-06", "V6-07", "V6-08",
    "V6-09", "V6-10", "V6-11", "V6-12", "V6-13", "V6-14", "V6-15", "V6-16",
    "V6-17", "V6-18", "V6-19",
    "V6-30", "V6-31", "V6-32", "V6-33",
    "MT-01", "MT-02", "MT-03", "MT-04", "MT-05", "MT-06", "MT-07",
    "PT-01", "PT-02", "PT-03", "PT-04", "PT-05", "PT-06", "PT-07", "PT-08",
    "PT-09", "PT-10", "PT-11", "PT-12", "PT-13", "PT-14",
    "IF-01", "IF-02", "IF-03", "IF-04", "IF-05", "IF-06",
    "DF-01",
    "HR-01",
]
# fmt: on
# A statement may begin with the name of what it is about, which has no capital.
BEGINNINGS = ("ovsdb-server", "libvirt", "managed:", "iface-")
NAMED = ["OV-12", "OV-13", "OV-14", "OV-15", "OV-16", "OV-17", "OV-18", "PT-11", "PT-12", "PT-14"]
WRITTEN = catalogue.CATALOGUE.read_text(encoding="utf-8")


def test_the_catalogue_holds_exactly_the_claims_in_order() -> None:
    assert len(IDS) == len(set(IDS))
    assert list(catalogue.claims()) == IDS
    assert all(claim.id == claim_id for claim_id, claim in catalogue.claims().items())


def test_levels() -> None:
    named = [claim.id for claim in catalogue.claims().values() if claim.level == "named"]
    assert named == NAMED


def test_a_claim_is_about_network_types_and_is_decided_by_cells_that_they_have() -> None:
    for claim in catalogue.claims().values():
        assert set(claim.types) <= {*NETWORK_TYPES, catalogue.HOST}, claim.id
        for cell in claim.cells:
            for name in claim.types:
                reach = NETWORK_TYPES[name].reach
                assert reach[cell.from_, cell.to] == cell.reach, (claim.id, name, cell)


def test_what_is_about_every_guest_is_about_every_type() -> None:
    everywhere = [c for c in catalogue.claims().values() if c.types == tuple(NETWORK_TYPES)]
    assert [claim.id for claim in everywhere] == ["GN-03", "GN-05", "GN-07", "GN-08"]


def test_a_claim_about_one_switch_does_not_apply_to_the_other() -> None:
    claims = catalogue.claims()
    assert claims["OV-10"].applies_to("bridged", "ovs")
    assert not claims["OV-10"].applies_to("bridged", "linux")
    assert not claims["OV-10"].applies_to("ovs", "ovs")
    assert claims["BR-06"].applies_to("bridged", "ovs")
    assert not claims["BR-09"].applies_to("bridged", "ovs")
    assert claims["BR-09"].applies_to("bridged")


def test_a_claim_about_a_key_applies_where_a_topology_asks_for_it() -> None:
    claims = catalogue.claims()
    plain, more = library.load("nat"), library.load("nat-dnsmasq")
    for id_ in ("DN-01", "DN-04", "DN-07", "DH-01", "DH-03", "DH-06", "DH-07"):
        assert claims[id_].keys
        assert not plain.applies(claims[id_])
        assert more.applies(claims[id_])
    assert plain.applies(claims["DN-08"])
    # `enable` is true there, as in a file without the key.
    assert not more.applies(claims["DN-05"])


def test_every_source_is_a_document_and_every_document_a_source() -> None:
    documents = catalogue.documents()
    used = {source for claim in catalogue.claims().values() for source in claim.sources}
    assert used == set(documents)
    assert catalogue.claims()["NT-15"].sources == ("D2", "D4")


def test_statements_are_whole_sentences_on_one_line() -> None:
    for claim in catalogue.claims().values():
        assert "\n" not in claim.statement
        assert "  " not in claim.statement
        assert claim.statement[0].isupper() or claim.statement.startswith(BEGINNINGS)
    assert catalogue.claims()["GN-02"].statement == (
        "The TAP's own MAC is the guest's MAC with the first octet `fe`"
    )
    assert catalogue.claims()["LB-02"].section == "Linux bridge"


def test_each_kind_of_topology_has_claims() -> None:
    for name in library.names():
        topology = library.load(name)
        applying = [
            claim.id
            for claim in catalogue.claims().values()
            if topology.applies(claim) and not claim.id.startswith("GN-")
        ]
        assert applying, name


def test_the_catalogue_cannot_be_changed_and_is_read_once() -> None:
    claims = catalogue.claims()
    assert catalogue.claims() is claims
    with pytest.raises(TypeError):
        claims["NT-99"] = claims["NT-01"]  # type: ignore[index] # that it is refused is the test
    with pytest.raises(ValidationError, match="frozen"):
        claims["NT-01"].level = "named"


@pytest.mark.parametrize(
    ("change", "field", "part"),
    [
        (("id: GN-02", "id: GN-01"), "sections[0].claims[1].id", "unused id"),
        (("id: GN-02", "id: LB-99"), "sections[0].claims[1].id", "starts with GN-"),
        (("keys: [domain]", "keys: [domian]"), "sections[4].claims[0].keys[0]", '"domain"?'),
        (("types: [nat]", "types: [nta]"), "sections[3].types[0]", 'did you mean "nat"?'),
        (
            ("sources: [D5, D4]", "sources: [D9]"),
            "sections[0].claims[0].sources",
            "D9 is not a document",
        ),
        (("plumbline/claims/1", "plumbline/claims/2"), "schema", "plumbline/claims/1"),
    ],
)
def test_a_damaged_catalogue_is_refused_with_its_line(
    change: tuple[str, str],
    field: str,
    part: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "claims.yaml"
    text = WRITTEN.replace(*change, 1)
    assert text != WRITTEN
    file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(catalogue, "CATALOGUE", file)
    with pytest.raises(DataError) as caught:
        catalogue.claims()
    error = caught.value
    assert error.line == WRITTEN[: WRITTEN.index(change[0])].count("\n") + 1
    assert error.field == field
    assert part in str(error)
