# SPDX-License-Identifier: GPL-2.0-or-later
"""What checks do to a host's own network is there while they do it, and undone after."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import libvirt
import pytest

from contracts.address_family import IPV4
from fixtures.errors import ChangesHost, NotTestable
from fixtures.host.dhcp_client import default_gateways, leased, without_address
from fixtures.host.host import Host
from fixtures.host.links import addresses, has_link, link_index
from fixtures.host.nic_state import NicState, nic_state
from fixtures.host.sandbox import Sandbox, sandbox
from fixtures.probe.bridge_filter import BRIDGED_IPV4, Filter, arp_filter, called, dropped
from fixtures.probe.forward_bypass import route
from fixtures.switch.default_network import (
    NAME,
    default_is_off,
    default_network,
    network_names,
)
from fixtures.switch.linux_bridge import linux_bridge
from fixtures.testbed import ifupdown
from fixtures.testbed.physical_network import OUTSIDE_NIC, physical_network
from fixtures.testbed.scratch_network import spare_network
from topologies.library import load
from topologies.topology import DhcpRange

pytestmark = pytest.mark.host

FIGURES = load("nat").physical
assert FIGURES is not None
SERVED = DhcpRange(start=IPv4Address("192.0.2.100"), end=IPv4Address("192.0.2.199"))
ROUTER = IPv4Interface("192.0.2.1/24")
# A setting that no kernel has.
NONE = Filter("net.bridge.none", "none", ())


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with sandbox() as made:
        yield made


def test_nic_state(host: Host) -> None:
    assert FIGURES is not None
    with physical_network(host, FIGURES) as physical:
        state = nic_state(host, FIGURES.uplink)
        assert (state.up, state.bridge, state.mtu) == (True, "", 1500)
        assert state.addresses == (str(FIGURES.host_interface),)
        assert state.routes == (str(FIGURES.subnet), f"default via {FIGURES.router}")
        assert nic_state(physical.lan, "to-host").bridge == "lan0"


def test_the_address_is_away_and_back(host: Host) -> None:
    assert FIGURES is not None
    with physical_network(host, FIGURES) as physical:
        before = nic_state(host, FIGURES.uplink)
        with pytest.raises(KeyError), without_address(host, FIGURES.uplink):
            assert addresses(host, FIGURES.uplink, IPV4) == []
            assert default_gateways(host, FIGURES.uplink, IPV4) == []
            raise KeyError
        assert nic_state(host, FIGURES.uplink) == before
        assert addresses(physical.outside, OUTSIDE_NIC, IPV4) == [str(FIGURES.outside_interface)]


def test_a_lease_is_taken_and_given_back(host: Host) -> None:
    assert FIGURES is not None
    with physical_network(host, FIGURES), without_address(host, FIGURES.uplink):
        with leased(host, FIGURES.uplink, IPV4) as lease:
            assert not lease.failure
            assert IPv4Interface(lease.address).ip in FIGURES.dhcp
            assert default_gateways(host, FIGURES.uplink, IPV4) == [str(FIGURES.router)]
        assert addresses(host, FIGURES.uplink, IPV4) == []
        assert not host.run(["pgrep", "-x", "dhclient"], check=False).stdout


def test_a_host_that_keeps_its_default_route_gets_none(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FIGURES is not None
    resolver = host.read("/etc/resolv.conf")
    monkeypatch.setattr(Sandbox, "takes_default_route", False)
    with physical_network(host, FIGURES):
        assert default_gateways(host, FIGURES.uplink, IPV4) == []
        assert host.read("/etc/resolv.conf") == resolver
        with without_address(host, FIGURES.uplink), leased(host, FIGURES.uplink, IPV4) as lease:
            assert not lease.failure
            assert default_gateways(host, FIGURES.uplink, IPV4) == []


def test_a_default_network_that_is_up_is_left_alone(host: Host) -> None:
    assert default_is_off(host)
    with default_network(host) as made:
        assert not default_is_off(host)
        bridge, uuid = link_index(host, made.bridgeName()), made.UUIDString()
        with default_network(host) as again:
            assert again.UUIDString() == uuid
        assert link_index(host, made.bridgeName()) == bridge
        # One that a check destroyed is there again, active.
        with default_network(host) as destroyed:
            destroyed.destroy()
            destroyed.undefine()
        assert not default_is_off(host)
    assert NAME not in network_names(host)


def test_a_filter_is_called_or_not(host: Host) -> None:
    was = host.sysctl(BRIDGED_IPV4.sysctl)
    if was is None:
        pytest.skip("this kernel has no br_netfilter")
    for on in (False, True):
        with called(host, BRIDGED_IPV4, "br0", on=on):
            assert host.sysctl(BRIDGED_IPV4.sysctl) == str(int(on))
        assert host.sysctl(BRIDGED_IPV4.sysctl) == was
    with pytest.raises(NotTestable), called(host, NONE, "br0", on=True):
        pass


def test_a_filter_is_called_for_one_bridge_of_a_host_that_is_not_to_be_changed(host: Host) -> None:
    was = host.sysctl(BRIDGED_IPV4.sysctl)
    if was is None:
        pytest.skip("this kernel has no br_netfilter")

    def of_bridge() -> str:
        return host.read("/sys/class/net/br0/bridge/nf_call_iptables").strip()

    host.set_sysctl(BRIDGED_IPV4.sysctl, "0")
    host.may_be_changed = False
    try:
        with linux_bridge(host, "br0"):
            for on in (True, False):
                with called(host, BRIDGED_IPV4, "br0", on=on):
                    assert (host.sysctl(BRIDGED_IPV4.sysctl), of_bridge()) == ("0", str(int(on)))
                assert of_bridge() == "0"
        host.set_sysctl(BRIDGED_IPV4.sysctl, "1")
        with pytest.raises(ChangesHost), called(host, BRIDGED_IPV4, "br0", on=False):
            pass
    finally:
        host.may_be_changed = True
        host.set_sysctl(BRIDGED_IPV4.sysctl, was)


@pytest.mark.parametrize("family", ["IPv4", "ARP"])
def test_drops_are_there_and_gone(host: Host, family: str) -> None:
    which = BRIDGED_IPV4 if family == "IPv4" else arp_filter(host)
    shown = [*which.tool, "-n", "-L", "FORWARD"]
    before = host.run(shown).stdout
    with dropped(host, which, ["-s", "192.0.2.1"], ["-s", "192.0.2.2"]):
        during = host.run(shown).stdout
        assert during.count("DROP") == before.count("DROP") + 2
    assert host.run(shown).stdout == before


def test_the_default_network_comes_and_goes(host: Host) -> None:
    assert network_names(host) == []
    with default_network(host) as network:
        assert network.isActive()
        assert has_link(host, network.bridgeName())
    assert network_names(host) == []


def test_a_default_network_of_the_hosts_own_stays_as_it_was(host: Host) -> None:
    own = host.libvirt.networkDefineXML(
        f"<network><name>{NAME}</name><bridge name='own0'/></network>"
    )
    xml = own.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)
    with default_network(host) as network:
        assert network.bridgeName() == "own0"
        network.destroy()
        network.undefine()
    back = host.libvirt.networkLookupByName(NAME)
    state = (back.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE), back.isActive(), back.autostart())
    assert state == (xml, 0, 0)
    back.undefine()


def test_a_stanza_is_brought_up_and_down_beside_the_hosts_own_links(host: Host) -> None:
    links = host.run(["ip", "-br", "link"]).stdout
    stanza = "auto nic0\niface nic0 inet static\naddress 192.0.2.2/24\n"
    with spare_network(host, "nic0", ROUTER, SERVED) as spare:
        former = nic_state(spare.machine, "nic0")
        assert not former.up
        with ifupdown.brought_up(host, spare, stanza) as failures:
            assert not failures
            now = nic_state(spare.machine, "nic0")
            assert now == NicState(former.mac, 1500, True, "", ("192.0.2.2/24",), ("192.0.2.0/24",))
            assert not has_link(host, "nic0")
        assert not failures
        assert not nic_state(spare.machine, "nic0").addresses
        wrong = ifupdown.brought_up(host, spare, "auto nic0\niface nic0 inet nowhere\n")
        with wrong as failures:
            assert failures[0].startswith("ifup ended with status 1")
    assert host.run(["ip", "-br", "link"]).stdout == links


@pytest.mark.host
def test_a_route_that_is_there_already_stays(host: Host) -> None:
    subnet = IPv4Network("198.51.100.0/24")

    def known() -> bool:
        return str(subnet) in host.run(["ip", "route"]).stdout

    assert FIGURES is not None
    with physical_network(host, FIGURES):
        gateway = str(FIGURES.router)
        with route(host, subnet, gateway):
            with route(host, subnet, gateway):
                assert known()
            assert known()
        assert not known()
