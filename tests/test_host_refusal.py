# SPDX-License-Identifier: GPL-2.0-or-later
"""A host that refuses a network or a probe: its own words, and its rules as they were."""

from collections.abc import Iterator

import pytest

from contracts.address_family import IPV4
from fixtures.errors import HostAtFault
from fixtures.host.host import Host
from fixtures.host.sandbox import sandbox
from fixtures.probe.input_exception import input_exception
from fixtures.testbed.build_network import built_network
from topologies.library import load

pytestmark = pytest.mark.host

RESOLVER = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv"]
SITE = """\
table inet site {
    chain in { type filter hook input priority 10; jump rest; }
    chain rest { iifname "lo" accept; reject with icmpx type admin-prohibited; }
}
"""


# What a run adds names one of its links, and has its comment.
BY_NFT = 'iifname "lo" udp dport 7777 accept comment "plumbline"'


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with sandbox() as made:
        yield made


def test_a_network_whose_port_is_taken_is_refused_in_libvirts_words(host: Host) -> None:
    host.run(["ip", "link", "set", "lo", "up"])
    with host.background(RESOLVER):
        host.run(["sh", "-c", "until ss -Hln sport = :53 | grep -q :53; do sleep 0.1; done"])
        with pytest.raises(HostAtFault) as caught, built_network(host, load("nat").network):
            pass
    assert caught.value.message.startswith("libvirt did not start network nat_net: ")
    assert "Address already in use" in caught.value.message
    assert "\n" not in caught.value.message
    assert not host.libvirt.listAllNetworks()


def test_a_bridge_whose_name_is_taken_is_refused_in_the_kernels_words(host: Host) -> None:
    network = load("linux-bridge").network
    host.run(["ip", "tuntap", "add", "dev", network.bridge, "mode", "tap"])
    try:
        with pytest.raises(HostAtFault, match="File exists"), built_network(host, network):
            pass
    finally:
        host.run(["ip", "link", "delete", network.bridge])


def test_ports_are_let_in_where_the_rest_is_refused_and_nowhere_else(host: Host) -> None:
    def listed() -> list[str]:
        argvs = (["iptables", "-S"], ["nft", "list", "table", "inet", "site"])
        return [line for argv in argvs for line in host.run(argv).stdout.splitlines()]

    host.run(["sh", "-c", f"nft -f - <<'END'\n{SITE}END"])
    host.run(["iptables", "-A", "INPUT", "-p", "tcp", "--dport", "7777", "-j", "DROP"])
    host.run(["iptables", "-A", "INPUT", "-j", "REJECT"])
    host.run(["iptables", "-P", "INPUT", "DROP"])
    before = listed()
    with input_exception(host, IPV4, [("tcp", 7777), ("udp", 7777)], ["lo"]) as let_in:
        during = listed()
    assert listed() == before
    assert sorted(let_in) == ["INPUT", "INPUT (policy)", "inet site rest"]
    rules = [line.strip() for line in during]
    # Behind the rule that refuses the port by name, and in front of the one that refuses the rest.
    by_name = rules.index("-A INPUT -p tcp -m tcp --dport 7777 -j DROP")
    rest = rules.index("-A INPUT -j REJECT --reject-with icmp-port-unreachable")
    own = "-m comment --comment plumbline -j ACCEPT"
    let = rules.index(f"-A INPUT -i lo -p tcp -m tcp --dport 7777 {own}")
    assert by_name < let < rest
    assert rules.index(BY_NFT) < rules.index("reject with icmpx admin-prohibited")
