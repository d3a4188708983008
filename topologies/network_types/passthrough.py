# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual functions of an SR-IOV NIC, handed out to guests by a libvirt network."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from xml.etree import ElementTree as ET

from topologies.network_types.build_steps import BuildStep, LibvirtNetwork, VirtualFunctions
from topologies.network_types.libvirt_bridge import as_text
from topologies.network_types.network_type import CELLS, Breach, GuestNic, Hop, NetworkType
from topologies.portgroups import VLANS
from topologies.schema import OF_LIBVIRT, Guest, Network, Physical, Role


class Passthrough(NetworkType):
    """`<forward mode='hostdev' managed='yes'><pf dev=…/>` (D4, "PCI passthrough")."""

    name = "passthrough"
    made_by = "libvirt"
    forward = "hostdev"
    switches = ("nic",)
    elsewhere = "functions of a NIC are handed out by a libvirt network"
    other_switch = "the functions of a NIC are switched by the NIC itself"
    reach = dict.fromkeys(CELLS, True)
    source = "self"
    needs = frozenset({"iommu", "sriov"})
    guests_have_taps = False
    uplink_is_real = True
    changes_run_objects_only = True

    def breaches(self, network: Network) -> Iterator[Breach]:
        """See `NetworkType.breaches`."""
        if network.uplink is None:
            yield Breach(
                "uplink",
                "no physical function for the guests' virtual functions; expected a NIC's name",
                "name the NIC under uplink, and under physical",
            )
        for key in (
            *("bridge_name", *OF_LIBVIRT, "dhcp"),
            *("stp", "forward_delay_s", "mac", "mtu", "libvirt_name", "address6"),
            *("dhcp6", "nat6", "guests_ipv6", "bridge_settings", *VLANS, "guests_mtu"),
        ):
            if network.asks_for(key):
                yield Breach(
                    key.removesuffix("_name") if key == "bridge_name" else key,
                    "there is no bridge between functions of a NIC; expected null",
                    "leave it out",
                )

    def guest_breaches(self, network: Network, guest: Guest) -> Iterator[Breach]:
        """See `NetworkType.guest_breaches`."""
        if guest.attach == "bridge":
            yield Breach(
                "attach",
                f"network {network.name} has no bridge; expected attach: network",
                "write attach: network",
            )
        if guest.model != "virtio":
            yield Breach(
                "model",
                f"{guest.model} for a function of a real NIC, which has no model; expected none",
                "leave it out",
            )

    def size_breaches(self, network: Network, guests: int) -> Iterator[Breach]:
        """See `NetworkType.size_breaches`: checks take one more function, and give it back."""
        if network.vfs is None or network.vfs <= guests:
            yield Breach(
                "vfs",
                f"{network.vfs or 'null'} for {guests} guests; expected {guests + 1} or more, one "
                "for each and one that checks take and give back",
                f"write vfs: {guests + 1}",
            )

    def libvirt_name(self, network: Network) -> str | None:
        """See `NetworkType.libvirt_name`."""
        return network.name

    def build_steps(self, network: Network) -> Sequence[BuildStep]:
        """See `NetworkType.build_steps`."""
        defined = LibvirtNetwork(self.xml(network), network.given_file)
        return VirtualFunctions(network.pf, network.vfs or 1), defined

    def xml(self, network: Network) -> str:
        """Return the network's definition: the user's own, over the NIC that the host has."""
        if network.given is not None:
            return network.given.over(network.pf).text
        root = ET.Element("network")
        ET.SubElement(root, "name").text = network.name
        if network.uuid is not None:
            ET.SubElement(root, "uuid").text = str(network.uuid)
        forward = ET.SubElement(root, "forward", mode="hostdev", managed="yes")
        ET.SubElement(forward, "pf", dev=network.pf)
        return as_text(root)

    def gateway(self, network: Network, physical: Physical | None) -> IPv4Address | None:
        """See `NetworkType.gateway`: the physical network's router."""
        del network
        return None if physical is None else physical.router

    def nic(self, network: Network, guest: Guest) -> GuestNic:
        """See `NetworkType.nic`."""
        del guest
        return GuestNic("network", network.name, None)

    def hops(self, from_: Role, to: Role) -> tuple[Hop, ...]:
        """See `NetworkType.hops`: the host does not see frames inside the NIC."""
        ends: dict[Role, tuple[Hop, ...]] = {
            "guest": (),
            "host": ("pf",),
            "outside": ("outside nic",),
        }
        return (*ends[from_], *ends[to])

    def links(self, network: Network) -> tuple[str, ...]:
        """See `NetworkType.links`: a function in a guest is no link of the host."""
        del network
        return ()
