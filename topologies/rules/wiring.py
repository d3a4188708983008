# SPDX-License-Identifier: GPL-2.0-or-later
"""Who makes a bridge, what switches it, where it leads and how a guest is attached."""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from topologies.rules.draft import Draft, Problem
from topologies.schema import Kind, Network

# What the keys of the network under test must say; a key that is not here may say anything.
SHAPE_OF_KIND: Final[dict[Kind, dict[str, str]]] = {
    "linux-bridge": {"made_by": "host", "switch": "linux", "forward": "none"},
    "ovs": {"made_by": "host", "switch": "ovs", "forward": "none"},
    "nat": {"made_by": "libvirt", "switch": "linux", "forward": "nat"},
    "isolated": {"made_by": "libvirt", "switch": "linux", "forward": "none"},
    "bridged": {"made_by": "host", "forward": "bridge"},
    "passthrough": {"made_by": "libvirt", "switch": "nic", "forward": "hostdev"},
}
GUESTS_MIN = 2


def kind_fits(draft: Draft) -> Iterator[Problem]:
    """The network under test is what the topology's kind says."""
    network = draft.under_test
    if draft.kind is None or network is None:
        return
    for key, expected in SHAPE_OF_KIND[draft.kind].items():
        is_now = getattr(network, key)
        if is_now != expected:
            yield Problem(
                ("networks", 0, key),
                f"{is_now} does not go with kind {draft.kind}; expected {expected}",
                f"write {key}: {expected}, or choose another kind",
            )


def _libvirt_network(network: Network) -> Iterator[tuple[str, str, str]]:
    if network.switch == "ovs":
        yield (
            "switch",
            "a network made by libvirt is a Linux bridge; expected linux",
            "write made_by: host for an Open vSwitch bridge",
        )
    if network.forward == "bridge":
        yield (
            "forward",
            "libvirt does not make the bridge of a network in bridge mode; expected nat or none",
            "write made_by: host, with libvirt_name for the libvirt network over the bridge",
        )
    if network.libvirt_name is not None:
        yield (
            "libvirt_name",
            f"a network made by libvirt is called by its name, {network.name}; expected null",
            "leave it out",
        )
    if network.uplink is not None:
        yield (
            "uplink",
            "libvirt adds no physical NIC to the bridge it makes; expected null",
            "write made_by: host for a bridge with an uplink",
        )
    if network.dhcp is not None and network.address is None:
        yield (
            "dhcp",
            "a DHCP range without an address on the bridge; expected both or none",
            "give the network its address",
        )
    if network.forward == "nat" and network.address is None:
        yield (
            "forward",
            "a NAT network without an address on the bridge; expected one to route from",
            "give the network its address",
        )


def _functions(network: Network) -> Iterator[tuple[str, str, str]]:
    if network.switch != "nic":
        yield (
            "switch",
            f"{network.switch} between functions of a NIC, which switches by itself; expected nic",
            "write switch: nic",
        )
    if network.made_by != "libvirt":
        yield (
            "made_by",
            "functions of a NIC are handed out by a libvirt network; expected libvirt",
            "write made_by: libvirt",
        )
    if network.uplink is None:
        yield (
            "uplink",
            "no physical function, whose virtual ones guests get; expected a NIC's name",
            "name the NIC under uplink, and under physical",
        )
    for key in ("bridge_name", "dhcp", "stp", "forward_delay_s", "mac", "libvirt_name"):
        if getattr(network, key) is not None:
            yield (
                key.removesuffix("_name") if key == "bridge_name" else key,
                "there is no bridge between functions of a NIC; expected null",
                "leave it out",
            )


def _bridge(network: Network) -> Iterator[tuple[str, str, str]]:
    if network.bridge_name is None:
        yield (
            "bridge",
            "the key is missing, or null; expected a name",
            "The bridge's interface name.",
        )
    if network.switch == "nic":
        yield (
            "switch",
            "a NIC switches only between its own functions; expected linux or ovs",
            "write switch: linux, or forward: hostdev for functions of a NIC",
        )
    if network.vfs is not None:
        yield (
            "vfs",
            f"{network.vfs} virtual functions for a bridge; expected null",
            "leave it out, or write forward: hostdev",
        )


def _host_bridge(network: Network) -> Iterator[tuple[str, str, str]]:
    if network.forward == "nat":
        yield (
            "forward",
            "nobody masquerades for a bridge made by the host; expected none or bridge",
            "write made_by: libvirt for a NAT network",
        )
    if network.dhcp is not None:
        yield (
            "dhcp",
            "nobody serves DHCP on a bridge made by the host; expected null",
            "write made_by: libvirt, or give the guests static addresses",
        )
    if network.uuid is not None:
        yield (
            "uuid",
            "a bridge made by the host has no UUID; expected null",
            "leave it out",
        )
    if (network.forward == "bridge") != (network.uplink is not None):
        has = "an uplink" if network.uplink is not None else "no uplink"
        fits = "bridge" if network.uplink is not None else "none"
        yield (
            "forward",
            f"{network.forward} on a bridge with {has}; expected {fits}",
            f"write forward: {fits}, or change uplink",
        )


def networks(draft: Draft) -> Iterator[Problem]:
    """What libvirt makes and what the host makes each have their own keys."""
    for index, network in draft.networks.items():
        if network.forward == "hostdev":
            found = _functions(network)
        elif network.made_by == "libvirt":
            found = chain(_bridge(network), _libvirt_network(network))
        else:
            found = chain(_bridge(network), _host_bridge(network))
        for key, what, hint in found:
            yield Problem(("networks", index, key), what, hint)


def uplinks(draft: Draft) -> Iterator[Problem]:
    """An uplink is the physical network's NIC, and a port of one bridge."""
    ports: dict[str, int] = {}
    for index, network in draft.networks.items():
        path = ("networks", index, "uplink")
        if network.uplink is None:
            continue
        if draft.has_no_physical:
            yield Problem(
                path,
                f"{network.uplink} leads nowhere, for physical is null; expected the physical "
                "network behind it",
                "describe it under physical, or write uplink: null",
            )
        elif draft.physical is not None and network.uplink != draft.physical.uplink:
            yield Problem(
                path,
                f"{network.uplink} is not the physical network's NIC; expected "
                f"{draft.physical.uplink}",
                "use one name in both places",
            )
        if network.uplink in ports:
            yield Problem(
                path,
                f"{network.uplink} is already a port of networks[{ports[network.uplink]}]; "
                "expected a port of one bridge",
                "write uplink: null on one of the two",
            )
        ports.setdefault(network.uplink, index)


def attachments(draft: Draft) -> Iterator[Problem]:
    """A guest that is attached by a libvirt network has one to name."""
    for index, guest in draft.guests.items():
        network = draft.network_of(guest)
        if network is not None and guest.attach == "network" and network.network_name is None:
            yield Problem(
                ("guests", index, "attach"),
                f"network {network.name} is a bridge made by the host, without a libvirt network "
                "over it; expected attach: bridge",
                "write attach: bridge, or give the network a libvirt_name",
            )


def functions_of_guests(draft: Draft) -> Iterator[Problem]:
    """A guest gets a function from libvirt's network, and there is one for each, and one more."""
    for index, guest in draft.guests.items():
        network = draft.network_of(guest)
        if network is None or network.forward != "hostdev":
            continue
        if guest.attach == "bridge":
            yield Problem(
                ("guests", index, "attach"),
                f"network {network.name} has no bridge; expected attach: network",
                "write attach: network",
            )
        if guest.model != "virtio":
            yield Problem(
                ("guests", index, "model"),
                f"{guest.model} for a function of a real NIC, which has no model; expected none",
                "leave it out",
            )
    network = draft.under_test
    if network is None or network.forward != "hostdev" or "guests" in draft.lacks:
        return
    count = sum(guest.network == network.name for guest in draft.guests.values())
    if network.vfs is None or network.vfs <= count:
        yield Problem(
            ("networks", 0, "vfs"),
            f"{network.vfs or 'null'} for {count} guests; expected {count + 1} or more, one for "
            "each and one that checks take and give back",
            f"write vfs: {count + 1}",
        )


def guests_under_test(draft: Draft) -> Iterator[Problem]:
    """Two guests at least are on the network under test: it takes two to reach each other."""
    network = draft.under_test
    if network is None or "guests" in draft.lacks or len(draft.guests) < GUESTS_MIN:
        return  # too few guests at all is an error of the list itself
    if any(draft.network_of(guest) is None for guest in draft.guests.values()):
        return  # the network that was meant may be this one
    count = sum(guest.network == network.name for guest in draft.guests.values())
    if count < GUESTS_MIN:
        yield Problem(
            ("guests",),
            f"{count} of the guests are on {network.name}, the network under test; expected "
            f"{GUESTS_MIN} or more",
            f"put more guests on {network.name}, or write the network you meant first",
        )


RULES: Final = (
    kind_fits,
    networks,
    uplinks,
    attachments,
    functions_of_guests,
    guests_under_test,
)
