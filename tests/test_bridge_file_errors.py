# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of bridge hosts: what each line means, and one error, with its line, for what has none."""

from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from topologies import library
from topologies.bridge_files.bridge_file import declared_bridges
from topologies.bridge_files.declared import DeclaredBridge
from topologies.bridge_files.keyword_page import made
from topologies.bridge_files.keywords import BRIDGE as KEYWORDS
from topologies.bridge_files.netplan_keys import BRIDGE as KEYS
from topologies.bridge_files.stanzas import read_interfaces
from topologies.catalogue import claims
from topologies.cli_names import FOLDER, expanded
from topologies.data_error import DataError
from topologies.made_table import DOCS
from topologies.placement import Placement, Taken

PORTS = "iface br0 inet static\n address 198.51.100.2/24\n bridge_ports eth0\n"
NETPLAN = "network:\n  version: 2\n  ethernets: {eth0: {}}\n  bridges:\n"


def written(folder: Path, text: str) -> Path:
    file = folder / ("site.yaml" if text.startswith("network:") else "interfaces")
    file.write_text(text, encoding="utf-8")
    return file


def bridge(folder: Path, text: str) -> DeclaredBridge:
    [found] = declared_bridges(written(folder, text))
    return found


@pytest.mark.parametrize(
    ("lines", "key", "value"),
    [
        (" netmask 255.255.255.0\n", "address", IPv4Interface("198.51.100.2/24")),
        (" gateway 198.51.100.1\n", "router", IPv4Address("198.51.100.1")),
        (" gateway 2001:db8::1\n", "router", None),
        (
            "iface br0 inet6 static\n address 2001:db8::2/64\n gateway 2001:db8::1\n"
            "iface br0 inet static\n address 198.51.100.2/24\n gateway 198.51.100.1\n",
            "router",
            IPv4Address("198.51.100.1"),
        ),
        (" bridge_stp on\n", "stp", True),
        (" bridge-stp yes\n", "stp", True),
        (" BRIDGE_STP off\n", "stp", False),
        ("", "stp", False),
        (" bridge_fd 0\n", "forward_delay_s", 0),
        (" bridge-fd 4.0\n", "forward_delay_s", 4),
        (" hwaddress ether 52:54:00:0A:0B:0C\n", "mac", "52:54:00:0a:0b:0c"),
        (" bridge_hw 52:54:00:0a:0b:0c\n", "mac", "52:54:00:0a:0b:0c"),
        (" bridge_hw eth0\n", "mac", None),
        (" mtu 9000\n", "mtu", 9000),
        (" mtu \\\n 9000\n", "mtu", 9000),
        (" # mtu 9000\n", "mtu", None),
    ],
)
def test_what_a_line_of_a_stanza_means(lines: str, key: str, value: object, tmp_path: Path) -> None:
    assert getattr(bridge(tmp_path, PORTS + lines), key) == value


@pytest.mark.parametrize(
    ("lines", "key", "value"),
    [
        # netplan's own default, which is not the kernel's.
        ("", "stp", True),
        ("      parameters: {stp: no}\n", "stp", False),
        ("      parameters: {forward-delay: 4}\n", "forward_delay_s", 4),
        ("      parameters: {forward-delay: 4s}\n", "forward_delay_s", 4),
        ("      macaddress: 52:54:00:0A:0B:0C\n", "mac", "52:54:00:0a:0b:0c"),
        ("      mtu: 9000\n", "mtu", 9000),
        ("      openvswitch: {}\n", "switch", "ovs"),
        (
            "      addresses: ['2001:db8::2/64', 198.51.100.2/24]\n",
            "address",
            IPv4Interface("198.51.100.2/24"),
        ),
        (
            "      addresses: [{198.51.100.2/24: {lifetime: 0}}]\n",
            "address",
            IPv4Interface("198.51.100.2/24"),
        ),
        ("      gateway4: 198.51.100.1\n", "router", IPv4Address("198.51.100.1")),
        (
            "      routes: [{to: 0.0.0.0/0, via: 198.51.100.1}]\n",
            "router",
            IPv4Address("198.51.100.1"),
        ),
        ("      routes: [{to: 10.0.0.0/8, via: 198.51.100.1}]\n", "router", None),
        (
            "      routes:\n"
            "        - {to: default, via: 198.51.100.3, table: 7}\n"
            "        - {to: default, via: '2001:db8::1'}\n"
            "        - {to: default, via: 198.51.100.1}\n"
            "        - {to: default, via: 198.51.100.4}\n",
            "router",
            IPv4Address("198.51.100.1"),
        ),
        ("      routes: [{to: default, via: 198.51.100.3, table: 7}]\n", "router", None),
    ],
)
def test_what_a_key_of_netplans_means(lines: str, key: str, value: object, tmp_path: Path) -> None:
    text = f"{NETPLAN}    br0:\n      interfaces: [eth0]\n{lines}"
    assert getattr(bridge(tmp_path, text), key) == value


def test_sourced_files_are_read_with_their_own_lines(tmp_path: Path) -> None:
    folder = tmp_path / "interfaces.d"
    folder.mkdir()
    (folder / "br0.conf").write_text(f"# ours\n{PORTS}")
    file = written(tmp_path, "source interfaces.d/*.conf\nsource nothing/*\n")
    [found] = declared_bridges(file)
    assert (found.place.file.name, found.place.line) == ("br0.conf", 2)
    listed = [str(each) for each in found.settings if each.treatment == "not looked at"]
    assert listed == ["interfaces interfaces, line 2: source = nothing/* (no such file here)"]


def test_a_directory_is_sourced_without_files_of_packages(tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "bridge").write_text(PORTS)
    (folder / "bridge.dpkg-old").write_text(PORTS)
    file = written(tmp_path, "source-directory more\n")
    assert [each.file.name for each in read_interfaces(file)] == ["interfaces", "bridge"]


def test_it_is_known_by_its_content(tmp_path: Path) -> None:
    for name in ("vmbr0", "bridge.cfg"):
        file = tmp_path / name
        file.write_text(f"# SPDX\n\n{PORTS}")
        assert library.load(str(file)).network.bridge == "br0"
    netplan = written(tmp_path, f"{NETPLAN}    br1: {{interfaces: [eth0]}}\n")
    assert library.load(str(netplan)).network.bridge == "br1"
    assert {each.name for each in library.load_all([str(netplan), str(tmp_path / "vmbr0")])} == {
        *("bridge-br0", "bridge-br1")
    }


def test_of_a_folder_files_with_other_names_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "capture.pcap").write_bytes(b"\xd4\xc3\xb2\xa1" * 300_000)
    (tmp_path / "notes").write_text("source of all this: the colleagues\n")
    (tmp_path / "br0.cfg").write_text(PORTS)
    file = written(tmp_path, "source br0.cfg\n")
    assert expanded([str(tmp_path)]) == [str(file)]
    assert [each.network.bridge for each in library.load_all([str(tmp_path)])] == ["br0"]


def test_one_of_several_bridges_is_named_with_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, PORTS + "iface br1 inet manual\n bridge_ports none\n")
    assert [each.network.bridge for each in library.load_all([str(file)])] == ["br0", "br1"]
    one = library.load(f"{file}#br1")
    assert (one.network.bridge, one.canonical()) == ("br1", f"{file}#br1")
    with pytest.raises(DataError, match="2 bridges in it, br0, br1"):
        library.load(str(file))
    with pytest.raises(DataError, match='no bridge "br2" in it; expected one of br0, br1'):
        library.load(f"{file}#br2")


@pytest.mark.parametrize("name", ["own.yaml", "net.xml"])
def test_a_bridge_of_a_file_that_is_no_hosts_is_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text((FOLDER / "isolated.yaml").read_text() if name == "own.yaml" else "<network/>")
    with pytest.raises(DataError) as refused:
        library.load(f"{file}#nothing")
    assert str(refused.value) == (
        f'{file}: no file of a bridge host; expected no bridge of it, "nothing"; leave out #nothing'
    )


TWO = f"{PORTS}iface br0 inet manual\n bridge_ports eth1\n"
CLAIMED = f"{PORTS}iface br1 inet manual\n bridge_ports eth1 eth0\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello\n", ": the name does not end in .yaml, .yml or .xml, and its first line is none"),
        ("auto lo\n bridge_ports eth0\n", ':2: "bridge_ports" is in no stanza'),
        ("auto\n", ":1: auto: auto without a name"),
        ("auto lo\niface lo inet loopback\n", ": no bridge in it, of the interfaces lo"),
        (TWO, ":5: iface br0 bridge_ports: br0 is also the bridge of "),
        (CLAIMED, ":5: iface br1 bridge_ports: eth0 is also a port of br0, "),
        ("iface br0 inet manual\n bridge_ports\n", ":2: iface br0 bridge_ports: no port"),
        (
            "iface br0 inet manual\n bridge_ports regex eth.*\n",
            ':2: iface br0 bridge_ports: "regex" is a pattern',
        ),
        (f"{PORTS} bridge_isolate on\n", ":4: iface br0 bridge_isolate: this release does not"),
        (f"{PORTS} bridge-pvid 7\n", ":4: iface br0 bridge-pvid: frames without a tag are of"),
        (f"{PORTS} bridge_stp maybe\n", ':4: iface br0 bridge_stp: "maybe"; expected on or off'),
        (f"{PORTS} bridge_fd 40\n", ':4: iface br0 bridge_fd: "40"; expected 0 to 30'),
        (f"{PORTS} mtu 1400\n", ":4: iface br0 mtu: 1400 octets"),
        (
            f"{PORTS} mtu 65522\n",
            ":4: iface br0 mtu: 65522 octets: a guest's TAP has at most 65521",
        ),
        (f"{PORTS} hwaddress eth9\n", ':4: iface br0 hwaddress: "eth9"; expected a MAC'),
        (f"{PORTS} gateway here\n", ":4: iface br0 gateway: "),
        (PORTS.replace("/24", ""), ":2: iface br0 address: 198.51.100.2 without a netmask"),
        (PORTS.replace("/24", "/40"), ":2: iface br0 address: "),
        (PORTS.replace("br0", "a-name-too-long-for-it"), ":1: iface a-name-too-long-for-it: "),
        (
            f"{PORTS} gateway 203.0.113.9\n",
            ":4: iface br0 gateway: 203.0.113.9 is outside of 198.51.100.0/24",
        ),
        ("source interfaces\n", ":1: source: "),
        (
            PORTS.replace("static", "static inherits base"),
            ":1: iface br0: it inherits lines of base",
        ),
        (f"{NETPLAN}    br0: {{interfaces: [eth9]}}\n", ":5: network.bridges.br0.interfaces[0]: "),
        (
            f"{NETPLAN}    br0: {{interfaces: [eth0]}}\n    br1: {{interfaces: [eth0]}}\n",
            ":6: network.bridges.br1.interfaces[0]: eth0 is also a port of br0, ",
        ),
        (f"{NETPLAN}    br0: {{}}\n    br0: {{}}\n", ":6: network.bridges.br0: "),
        (f"{NETPLAN}    br0: {{isolated: true}}\n", ":5: network.bridges.br0.isolated: this "),
        (
            f"{NETPLAN}    br0: {{parameters: {{stp: maybe}}}}\n",
            ':5: network.bridges.br0.parameters.stp: "maybe"',
        ),
        (
            f"{NETPLAN}    br0: {{openvswitch: {{fail-mode: secure}}}}\n",
            ":5: network.bridges.br0.openvswitch.fail-mode: secure: ",
        ),
        (f"{NETPLAN}    br0: {{addresses: [10.0.0.1]}}\n", ":5: network.bridges.br0.addresses[0]"),
        (f"{NETPLAN}    br0: {{macaddress: 1234}}\n", ":5: network.bridges.br0.macaddress: br0: "),
        (f"{NETPLAN}    br0: {{interfaces: eth0}}\n", ":5: network.bridges.br0.interfaces: it is"),
        (f"{NETPLAN}    br0: {{mtu: 65522}}\n", ":5: network.bridges.br0.mtu: 65522 octets: a"),
        (f"{NETPLAN}    br0: {{mtu: 1400}}\n", ":5: network.bridges.br0.mtu: 1400 octets: guests"),
        (f"{NETPLAN}    br0: {{mtu: big}}\n", ':5: network.bridges.br0.mtu: "big"; expected a'),
        (f"{NETPLAN}    br0: {{addresses: {{}}}}\n", ":5: network.bridges.br0.addresses: it is no"),
        (
            f"{NETPLAN}    br0: {{addresses: 10.0.0.1/24}}\n",
            ":5: network.bridges.br0.addresses: it is no list",
        ),
        (
            f"{NETPLAN}    br0: {{addresses: [{{}}]}}\n",
            ":5: network.bridges.br0.addresses[0]: it is no address",
        ),
        (
            f"{NETPLAN}    br0:\n      addresses:\n        - 10.0.0.1/24\n        - {{}}\n",
            ":8: network.bridges.br0.addresses[1]: it is no address",
        ),
        (
            f"{NETPLAN}    br0: {{routes: {{to: default, via: 10.0.0.1}}}}\n",
            ":5: network.bridges.br0.routes: it is no list",
        ),
        ("auto lo\nsource **foo\n", ':2: source: "**foo" is no pattern of files'),
        ("auto lo\nsource .\n", ':2: source: "." is no pattern of files'),
        ("network:\n  version: 2\n", ":1: network: no bridge in it"),
        ("network: [br0]\n", ":1: network: it is no mapping"),
        ("network:\n  version: 3\n  bridges: {br0: {}}\n", ":2: network.version: version 3"),
    ],
)
def test_what_is_wrong_is_one_message_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    file = written(tmp_path, text)
    with pytest.raises(DataError) as refused:
        library.load_all([str(file)])
    assert str(refused.value).startswith(f"{file}{said}")
    assert len(refused.value.errors) == 1
    assert refused.value.hint


def test_only_the_default_route_that_counts_is_used(tmp_path: Path) -> None:
    routes = "[{to: default, via: 198.51.100.3, table: 7}, {to: default, via: 198.51.100.1}]"
    text = f"{NETPLAN}    br0:\n      interfaces: [eth0]\n      routes: {routes}\n"
    treated = {each.element: each.treatment for each in bridge(tmp_path, text).settings}
    name = "network.bridges.br0.routes"
    assert treated[f"{name}[0].via"] == "not looked at"
    assert treated[f"{name}[1].via"] == "used"


def test_a_stanza_stays_in_a_sandbox(tmp_path: Path) -> None:
    topology = library.load(str(written(tmp_path, PORTS)))
    nothing = Taken(frozenset(), (), frozenset(), frozenset())
    placement = Placement.beside(nothing, "plumb", "10.99.0.0/16")
    with pytest.raises(DataError, match="ifup would run its lines under other names"):
        placement.place(topology)


def test_the_docs_have_the_tables() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert made().written(text) == text, "python -m topologies.bridge_files.keyword_page"


def test_each_claim_that_a_keyword_undecides_is_in_the_catalogue() -> None:
    rules = (*KEYWORDS.values(), *KEYS.values())
    named = {
        claim for rule in rules for value in ("0", "off", "x") for claim in rule.undecides(value)
    }
    assert named
    assert named <= set(claims())
