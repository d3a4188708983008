# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's interfaces as libvirt shows them."""

from ipaddress import IPv4Interface

import libvirt
import pytest

from fixtures.errors import NotTestable
from fixtures.host.host import Host
from fixtures.host.interface import bridge_interface_xml, takes_definitions
from fixtures.host.links import has_link, link_index, link_kind, link_mac
from fixtures.probe.evidence import Evidence
from fixtures.switch.linux_bridge import linux_bridge
from fixtures.testbed.testbed import Testbed

ARPHRD_ETHER, ARPHRD_LOOPBACK = 1, 772  # linux/if_arp.h
SCRATCH, DEFINED = "plumb-listed", "plumb-defined"
# Locally administered: a MAC that no other link of the host has, as mapping it back needs.
SCRATCH_MAC = "02:00:5e:00:53:01"
# D4's kind of interface: a bridge with an address of its own.
BRIDGE_XML = bridge_interface_xml(DEFINED, IPv4Interface("198.18.0.1/24"), "plumb-port")


@pytest.mark.claims("IF-05")
def test_listed_and_not_defined(testbed: Testbed, evidence: Evidence) -> None:
    """A libvirt without netcf lists and maps the host's interfaces, and refuses to define one.

    Ports of Linux bridges belong to the entry of their bridge. TUN and TAP devices and tunnels are
    listed or not, by the release: they decide nothing.

    Preconditions:
        - libvirt has its interface driver without netcf
        - the host has no links `plumb-listed` and `plumb-defined`
    Steps:
        1. List libvirt's interfaces, and ask libvirt to define a bridge.
        2. Make the bridge `plumb-listed` by hand, and give it a MAC of its own.
        3. List libvirt's interfaces and the kernel's links, and map name to MAC and MAC to name.
        4. Delete that bridge, and list libvirt's interfaces again.
    Verify:
        - the definition is refused as not supported
        - libvirt's list is the kernel's, MAC by MAC, less bridge ports, TUN and TAP devices
          and tunnels
        - `plumb-listed` maps to its MAC and its MAC to `plumb-listed`, and libvirt calls it
          inactive
        - after, `plumb-listed` is not in the list, and the list is the one from before the
          definition
        - the host has no link of the refused definition
    """
    host = testbed.host
    before = _listed(host)
    refusal = _refusal(host)
    evidence.text("refusal.txt", f"{refusal}\n")
    with linux_bridge(host, SCRATCH) as added:
        added.set_mac(SCRATCH_MAC)
        there = _links(host)
        listed = {name: mac for name, mac in _listed(host).items() if _decides(host, name)}
        evidence.json("interfaces.json", {"libvirt": listed, "kernel": there})
        assert listed == there, f"libvirt lists {listed}, the kernel has {there}"
        named = host.libvirt.interfaceLookupByName(SCRATCH)
        mapped = host.libvirt.interfaceLookupByMACString(SCRATCH_MAC)
        pair = named.MACString(), mapped.name()
        assert pair == (SCRATCH_MAC, SCRATCH), f"{SCRATCH}, {SCRATCH_MAC} map to {pair}"
        assert not named.isActive(), f"{SCRATCH} is down, and libvirt calls it active"
    gone = _listed(host)
    assert SCRATCH not in gone, f"{SCRATCH} is deleted, and libvirt lists {sorted(gone)}"
    assert gone == before, f"a refused definition changed the list from {before} to {gone}"
    assert not has_link(host, DEFINED), f"a refused definition made the link {DEFINED}"
    evidence.reason = (
        f"{len(listed)} interfaces listed as the kernel has them, {SCRATCH} mapped to "
        f"{SCRATCH_MAC} and back; the host's limit: {refusal}"
    )


def _listed(host: Host) -> dict[str, str]:
    """Return libvirt's list as name → MAC, active or not."""
    try:
        return {each.name(): each.MACString() for each in host.libvirt.listAllInterfaces()}
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:
            raise AssertionError(f"libvirt does not list the interfaces: {error}") from error
        raise NotTestable("libvirt's interface driver", f"listAllInterfaces: {error}") from error


def _links(host: Host) -> dict[str, str]:
    """Return the kernel's independent links, as name → MAC."""
    names = [str(link.get_attr("IFLA_IFNAME")) for link in host.netlink.get_links()]
    return {
        name: link_mac(host, name)
        for name in names
        if _decides(host, name) and not host.seen(f"/sys/class/net/{name}/brport").exists()
    }


def _decides(host: Host, name: str) -> bool:
    """Whether a link is one that every release lists: with an Ethernet MAC, and no TAP."""
    if not has_link(host, name):
        return True
    [link] = host.netlink.get_links(link_index(host, name))
    return link_kind(host, name) != "tap" and link["ifi_type"] in (ARPHRD_ETHER, ARPHRD_LOOPBACK)


def _refusal(host: Host) -> str:
    """Return libvirt's answer to a definition.

    Raises:
        NotTestable: this libvirt has netcf, and would take it.
        AssertionError: it takes it, or refuses for another reason than that it does not support it.
    """
    if takes_definitions(host):
        raise NotTestable("a libvirt without netcf", "interfaceDefineXML reads a definition")
    refused: libvirt.libvirtError | None = None
    try:
        host.libvirt.interfaceDefineXML(BRIDGE_XML).undefine()
    except libvirt.libvirtError as error:
        refused = error
    assert refused is not None, f"libvirt has no netcf, and takes the definition of {DEFINED}"
    code = refused.get_error_code()
    assert code == libvirt.VIR_ERR_NO_SUPPORT, f"libvirt refuses with error {code}: {refused}"
    return str(refused)
