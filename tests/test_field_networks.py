# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of the kinds that people have: each is expressible, and gets the verdicts it must get.

All are read each time. For real some are run by turns, and all on demand: `--networks all`, or
`--networks I/N` for the I-th of N parts.
"""

from pathlib import Path

import pytest

from tests.field_networks import FOLDER, REFUSED, Expected, expected
from tests.launched import launched
from topologies import library
from topologies.catalogue import claims
from topologies.data_error import DataError

# What decides a network's type, its addresses, its names and who reaches whom; the rest of the
# catalogue is about more than its XML, and is seen on the shipped topologies.
CLAIMS = (
    *(
        "DF-01",
        "GN-01",
        "NT-01",
        "NT-02",
        "NT-03",
        "NT-04",
        "NT-05",
        "NT-06",
        "NT-08",
        "NT-10",
        "NT-11",
    ),
    *("NT-12", "NT-21", "IS-01", "IS-02", "IS-03", "IS-04", "IS-05", "RT-01", "RT-02", "RT-03"),
    *("RT-06", "RT-07", "OP-01", "OP-03", "OP-04", "OP-06", "OP-07", "BR-01", "BR-05", "BR-06"),
    *("BR-07", "BR-08", "PT-03", "NT-25", "OV-19"),
    *(f"DN-0{number}" for number in range(1, 10)),
    *(f"DH-0{number}" for number in range(1, 9)),
    *(f"MT-0{number}" for number in range(1, 5)),
    # Without V6-08, which is about the host.
    *(f"V6-{number:02}" for number in range(1, 20) if number != 8),
)
NETWORKS = expected()


def test_each_network_has_its_verdicts() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == set(NETWORKS)
    assert {file.suffix for file in FOLDER.iterdir()} == {".xml"}


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_a_topology(name: str) -> None:
    wanted, topology = NETWORKS[name], library.load(str(FOLDER / f"{name}.xml"))
    assert topology.kind == wanted.kind
    assert topology.reading is not None
    listed = [
        f"{s.element}{f'@{s.attribute}' if s.attribute else ''}"
        for s in (topology.reading.not_looked_at)
    ]
    outermost = [
        each
        for each in dict.fromkeys(listed)
        if not any(
            each != other and each.startswith((f"{other}/", f"{other}@")) for other in listed
        )
    ]
    assert outermost == wanted.not_looked_at
    applying = [claim.id for claim in claims().values() if topology.applies(claim)]
    assert [id_ for id_ in applying if topology.reading.obstacle([id_])] == wanted.undecided


def test_one_host_can_have_all_of_them() -> None:
    assert len(library.load_all([str(FOLDER)])) == len(NETWORKS)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("domain", ":2: found <domain>; expected <network>"),
        ("entities", ":2: a document type, network; expected none, and no entities"),
        ("ipv6-long-prefix", ":5: network/ip: network long6: a network with IPv6 alone, of which"),
        ("ipv6-not-advertised", ":6: network/ip: network silent6: a network with IPv6 alone"),
        ("ipv6-one-client", ":4: network/ip: the DHCPv6 server has not 2 addresses for guests"),
        ("ipv6-range-outside", ":6: network/ip/dhcp/range: 2001:db8:172::100 is no host's in"),
        ("ipv6-reserved-by-name", ":4: network/ip: network named6: a network with IPv6 alone"),
        ("latin", ":1: XML in ISO-8859-1; expected UTF-8"),
        ("long-bridge-name", ":4: network/bridge: network long: "),
        (
            "macvtap",
            ":3: network/forward: network direct: <forward mode='bridge'> without <bridge>",
        ),
        ("midonet", ":5: network/virtualport: type midonet is a switch that"),
        ("newer-forward", ":4: network/forward/mirror: this release does not know it"),
        ("not-xml", ":3: not XML (column 17): "),
        ("range-outside", ":7: network/ip/dhcp/range: 192.168.123.2 is outside its network"),
        ("tagged", ":5: network/vlan: guests' frames get VLAN tags"),
        ("vepa", ":3: network/forward: network hairpin: <forward mode='vepa'> is a type"),
    ],
)
def test_what_the_model_cannot_have_is_one_message_with_its_line(name: str, said: str) -> None:
    file = REFUSED / f"{name}.xml"
    with pytest.raises(DataError) as refused:
        library.load(str(file))
    assert str(refused.value).startswith(f"{file}{said}")
    assert refused.value.hint


def test_each_refused_one_has_its_message() -> None:
    marks = test_what_the_model_cannot_have_is_one_message_with_its_line.pytestmark
    assert {file.stem for file in REFUSED.iterdir()} == {name for name, _ in marks[0].args[1]}


@pytest.mark.host
def test_it_gets_its_verdicts(in_turn: str, tmp_path: Path) -> None:
    words = [word for claim in CLAIMS for word in ("--claim", claim) if _decides(in_turn, claim)]
    file = FOLDER / f"{in_turn}.xml"
    done, record = launched("run", tmp_path / "run", "--topology", str(file), *words)
    assert record, done.stdout + done.stderr
    assert list(NETWORKS[in_turn].differences(record)) == []
    assert record["checks"]


def _decides(name: str, claim: str) -> bool:
    topology = library.load(str(FOLDER / f"{name}.xml"))
    return topology.applies(claims()[claim])


def test_a_verdict_that_must_not_be_is_named() -> None:
    check = {"id": "nat.rules[x]", "claims": ["NT-08"], "verdict": "violates", "reason": "no rule"}
    record = {"topologies": [{"reason": None}], "checks": [check]}
    assert list(Expected(kind="nat").differences(record)) == [
        "nat.rules[x] violates, not conforms: no rule"
    ]
    undecided = {**check, "verdict": "not-testable", "reason": "x is asked for something else"}
    record = {"topologies": [{"reason": None}], "checks": [undecided]}
    assert list(Expected(kind="nat", undecided=["NT-08"]).differences(record)) == []
    assert list(Expected(kind="nat").differences(record)) != []


def test_what_is_not_decided_for_want_of_another_capability_is_named() -> None:
    reason = "the host lacks iommu (probe: no groups)"
    check = {"id": "passthrough.x", "claims": ["PT-03"], "verdict": "not-testable"}
    record = {"topologies": [{"reason": None}], "checks": [{**check, "reason": reason}]}
    assert list(Expected(kind="passthrough", lacks="iommu").differences(record)) == []
    assert list(Expected(kind="passthrough", lacks="sriov").differences(record)) == [
        f"passthrough.x, not for want of sriov: {reason}"
    ]
    decided = {**check, "verdict": "conforms", "reason": "4 functions"}
    record = {"topologies": [{"reason": None}], "checks": [decided]}
    assert list(Expected(kind="passthrough", lacks="iommu").differences(record)) == [
        "passthrough.x conforms, not not-testable: 4 functions"
    ]
