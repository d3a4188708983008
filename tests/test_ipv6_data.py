# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 of a network as data: its XML, its promises, its place on a shared host, its errors."""

from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from scapy.layers.inet6 import (
    ICMPv6ND_RA,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    IPv6,
)
from scapy.layers.l2 import Ether

from contracts.address_family import IPV4, IPV6
from fixtures.probe.advertisement import interface_identifier, read_advertisement
from fixtures.switch.libvirt_network import definition
from fixtures.testbed.outside_routes import routed_subnets
from tests.changed_topologies import changed
from topologies.catalogue import claims
from topologies.data_error import DataError
from topologies.default_promises import promises_of
from topologies.library import load
from topologies.placement import Placement, Taken
from topologies.topology import Topology


def written(folder: Path, *changes: tuple[str, str], name: str = "nat-dual-stack") -> Topology:
    """Return a shipped topology with some of its text replaced."""
    source = load(name).source_path
    assert source is not None
    return changed(source, folder, *changes)


def without_promises(text: str) -> tuple[str, str]:
    """Return the change that takes a topology's promises away."""
    begin = text.index("promises:")
    return text[begin : text.index("\n\n", begin)], ""


def test_the_xml_has_the_address_and_the_translation(tmp_path: Path) -> None:
    root = ET.fromstring(definition(load("nat-dual-stack").network))
    [ip6] = root.findall("ip[@family='ipv6']")
    assert ip6.attrib == {"family": "ipv6", "address": "fd00:10:10:10::1", "prefix": "64"}
    assert root.find("forward/nat[@ipv6='yes']") is not None
    plain = written(tmp_path, ("nat6: true", "nat6: false"))
    assert ET.fromstring(definition(plain.network)).find("forward/nat") is None


def test_guests_may_have_ipv6_among_themselves(tmp_path: Path) -> None:
    alone = written(
        tmp_path,
        ("address6: fd00:10:10:66::1/64", "guests_ipv6: true"),
        (", V6-03", ""),
        (", V6-07", ""),
        name="isolated-dual-stack",
    )
    assert ET.fromstring(definition(alone.network)).get("ipv6") == "yes"
    assert alone.families == (IPV4,)


@pytest.mark.parametrize("name", ["nat", "isolated", "routed"])
def test_a_network_of_ipv4_alone_has_no_part_of_it(name: str) -> None:
    assert "ipv6" not in definition(load(name).network)


def test_translated_ipv6_is_promised_as_ipv4_is() -> None:
    topology = load("nat-dual-stack")
    promised = promises_of(topology.network, topology.physical)
    assert all("family" not in each for each in promised)
    assert [p.claims for p in topology.promises] == [tuple(each["claims"]) for each in promised]


def test_without_translation_each_family_has_its_promises(tmp_path: Path) -> None:
    source = load("nat-dual-stack").source_path
    assert source is not None
    text = source.read_text(encoding="utf-8")
    plain = written(tmp_path, ("nat6: true", "nat6: false"), without_promises(text))
    said = {(p.cell, p.family): (p.reach, p.source) for p in plain.promises}
    assert said[("guest → outside", "ipv4")] == (True, "host")
    assert said[("guest → outside", "ipv6")] == (True, "self")
    assert said[("outside → guest", "ipv4")] == (False, None)
    assert said[("outside → guest", "ipv6")] == (True, None)
    assert said[("guest → guest", None)] == (True, None)
    # The outside needs a way to what is not translated.
    beyond = plain.physical
    assert beyond is not None
    assert list(routed_subnets(plain, beyond)) == [IPv6Network("fd00:10:10:10::/64")]
    assert list(routed_subnets(load("nat-dual-stack"), beyond)) == []
    without = beyond.model_copy(update={"ipv6": None})
    assert list(routed_subnets(plain, without)) == []


def test_a_claim_of_a_family_is_decided_by_its_packets_alone() -> None:
    known = claims()
    assert known["V6-04"].is_about(IPV6)
    assert not known["V6-04"].is_about(IPV4)
    assert known["NT-10"].is_about(IPV4)
    assert known["NT-10"].is_about(IPV6)


def test_claims_are_asked_where_there_is_ipv6() -> None:
    known = claims()
    about = {i for i, claim in known.items() if i.startswith("V6-")}
    assert not {i for i in about if load("nat").applies(known[i])}
    asked = {i for i in about if load("nat-dual-stack").applies(known[i])}
    translated = {"V6-04", "V6-05", "V6-09", "V6-11", "V6-12"}
    as_is = {"V6-14", "V6-15"}
    router = {"V6-01", "V6-02", "V6-08"}
    assert asked == router | translated | {"V6-03"}
    routed = {i for i in about if load("routed-dual-stack").applies(known[i])}
    assert routed == router | as_is | {"V6-03"}
    isolated = {i for i in about if load("isolated-dual-stack").applies(known[i])}
    assert isolated == {"V6-03", "V6-06", "V6-07", "V6-10", "V6-13", "V6-33"}
    # Of DHCPv6: tests/test_dhcp6_data.py; of bridges to the physical network:
    # tests/test_bridged_ipv6.py.
    leased = {"V6-16", "V6-17", "V6-18", "V6-19"}
    bridged = {i for i in about if "bridged" in known[i].types}
    assert asked | routed | isolated == about - leased - bridged | {"V6-03", "V6-33"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("fd00:10:10:10::1/64", "fd00:10:10:10::1"), "has no prefix length"),
        (("fd00:10:10:10::1/64", "10.0.0.1/24"), "an IPv6 address with its prefix length"),
        (("2001:db8:1::/64", "2001:db8:1::1/64"), "has host bits set; expected the network itself"),
        (('"2001:db8:1::10"', '"192.168.1.10"'), "an IPv6 address without a prefix"),
        (("forward: nat ", "forward: route "), "without something to translate"),
        (("reach: false, claims", "family: ipv5, reach: false, claims"), "ipv5"),
    ],
)
def test_errors(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        written(tmp_path, change)


def test_a_cell_is_promised_once_for_each_family(tmp_path: Path) -> None:
    more = "  - {from: outside, to: guest, family: ipv6, reach: false, claims: [V6-05]}\n"
    entry = "  - {from: outside, to: guest, reach: false, claims: [NT-11, V6-05]}\n"
    alone = entry.replace("reach", "family: ipv4, reach").replace(", V6-05", "")
    with pytest.raises(DataError, match="promised again"):
        written(tmp_path, (entry, entry + more))
    both = written(tmp_path, (entry, alone + more))
    assert [p.family for p in both.promises if p.from_ == "outside"] == ["ipv4", "ipv6"]


def test_it_is_placed_on_free_local_subnets_and_keeps_its_figures() -> None:
    documented = load("nat-dual-stack")
    placement = Placement.beside(Taken(), "plumb", None)
    placed = placement.place(documented)
    network, physical = placed.network.address6, placed.physical
    assert network is not None
    assert physical is not None
    assert physical.ipv6 is not None
    assert network.ip in IPv6Network("fd00::/8")
    assert int(network.ip) - int(network.network.network_address) == 1
    assert physical.ipv6.outside == physical.ipv6.subnet[0x10]
    assert not network.network.overlaps(physical.ipv6.subnet)
    assert placement.place(documented) == placed
    taken = Taken(ipv6_networks=(network.network.supernet(new_prefix=48),))
    other = Placement.beside(taken, "plumb", None).place(documented).network.address6
    assert other is not None
    assert not other.network.overlaps(taken.ipv6_networks[0])


def test_an_advertisement_is_read() -> None:
    packet = (
        Ether(src="52:54:00:19:8b:0d")
        / IPv6(src="fe80::1", dst="ff02::1", hlim=255)
        / ICMPv6ND_RA(M=1, O=0, routerlifetime=1800)
        / ICMPv6NDOptMTU(mtu=1500)
        / ICMPv6NDOptPrefixInfo(
            prefix="fd00:1::", prefixlen=64, L=1, A=0, validlifetime=600, preferredlifetime=300
        )
        / ICMPv6NDOptRDNSS(dns=["fe80::1", "fd00:1::1"], lifetime=1800)
    )
    read = read_advertisement(Ether(bytes(packet)))
    assert (read.source, read.mac) == (IPv6Address("fe80::1"), "52:54:00:19:8b:0d")
    assert (read.hop_limit, read.managed, read.other, read.lifetime_s) == (255, True, False, 1800)
    [prefix] = read.prefixes
    assert (prefix.prefix, prefix.on_link, prefix.autonomous) == (
        IPv6Network("fd00:1::/64"),
        True,
        False,
    )
    assert (prefix.valid_s, prefix.preferred_s) == (600, 300)
    assert read.resolvers == ("fe80::1", "fd00:1::1")
    assert "flags M" in str(read)


def test_an_interface_identifier_is_the_macs() -> None:
    # RFC 4291, appendix A.
    assert IPv6Network("fe80::/64")[interface_identifier("34:56:78:9a:bc:de")] == IPv6Address(
        "fe80::3656:78ff:fe9a:bcde"
    )


def test_each_forwarding_of_a_prefix_has_a_claim_that_says_guests_take_it() -> None:
    stating = {type_ for each in claims().values() if each.advertisements for type_ in each.types}
    # What exists may have an address6 on a bridge of the host's own, too.
    assert stating == {
        *("nat", "isolated", "routed", "open"),
        *("bridged", "linux-bridge", "ovs"),
    }
