# SPDX-License-Identifier: GPL-2.0-or-later
"""VLANs and bonds of netplan's YAML: what a bridge's port is made of.

Source: netplan's YAML reference, "Properties for device type vlans:" and "bonds:".
"""

from collections.abc import Callable, Mapping
from typing import Final

from topologies.bridge_files.declared import (
    Place,
    Port,
    PortLinks,
    require_interval_ms,
    require_tag,
    stacked,
)
from topologies.bridge_files.netplan_keys import DEVICES
from topologies.data_error import near_miss
from topologies.uplink_links import UplinkBond, UplinkVlan
from topologies.yaml_reader import FieldPath, Value

VLANS, BONDS = "vlans", "bonds"
MONITOR: Final = ("parameters", "mii-monitor-interval")
MONITOR_UNITS: Final = {"": 1, "ms": 1, "s": 1000}
"""Without a suffix it is in milliseconds."""
ARP_MONITOR: Final = ("parameters", "arp-interval")
KEYS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    VLANS: (("id",), ("link",)),
    BONDS: (("interfaces",), ("parameters",), ("parameters", "mode"), MONITOR),
}
"""By these keys of a section's interface the run makes it."""
ACTIVE_BACKUP: Final = "active-backup"
BOND_PORTS_MIN: Final = 2


class NetplanLinks:
    """The sections `vlans` and `bonds` of a file.

    Args:
        network: the mapping below `network`.
        place: gives the place of a key.
        link: gives the name on the host of an interface of the file.
    """

    def __init__(
        self,
        network: Mapping[str, Value],
        place: Callable[[FieldPath], Place],
        link: Callable[[str], str],
    ) -> None:
        self._network = network
        self._place = place
        self._link = link

    def of(self, port: Port | None) -> PortLinks:
        """Return what a bridge's port is made of.

        Raises:
            DataError: its VLAN has a number that there is not, or is of another VLAN or of what
                is not in the file, or its bond's interval is none; with its line.
        """
        if port is None:
            return PortLinks()
        below: list[str] = []
        vlan, carrier = None, port.written
        tag, link = self._get(VLANS, carrier, "id"), self._get(VLANS, carrier, "link")
        if isinstance(tag, int) and link is not None:
            place = self._place(("network", VLANS, carrier, "id"))
            carrier = self._below(carrier, str(link))
            below.append(carrier)
            vlan = UplinkVlan.model_construct(tag=require_tag(tag, place), link=self._link(carrier))
        ports = self._get(BONDS, carrier, "interfaces")
        bond = self._bond(carrier, ports if isinstance(ports, list) else [])
        if bond is not None and isinstance(ports, list):
            below += map(str, ports)
        return PortLinks(vlan, bond, tuple(below))

    def _below(self, vlan: str, link: str) -> str:
        """Return the interface that carries a VLAN; the model has a NIC or a bond there."""
        place = self._place(("network", VLANS, vlan, "link"))
        if self._get(VLANS, link) is not None:
            raise stacked(link, place)
        sections = {name: self._get(name) for name in DEVICES}
        known = [str(each) for own in sections.values() if isinstance(own, dict) for each in own]
        if link not in known:
            raise place.error(
                f"{link} is defined nowhere in the file; expected an interface of ethernets or "
                "bonds",
                near_miss(link, known) or f"add it: ethernets: {{{link}: {{}}}}",
            )
        return link

    def _bond(self, name: str, ports: list[Value]) -> UplinkBond | None:
        """Return a bond that the model has: by its mode, and not with ARP for its NICs' links."""
        mode = self._get(BONDS, name, "parameters", "mode")
        if mode != ACTIVE_BACKUP or len(ports) < BOND_PORTS_MIN:
            return None
        if self._get(BONDS, name, *ARP_MONITOR) not in (None, 0, "0"):
            return None
        asked = self._get(BONDS, name, *MONITOR)
        place = self._place(("network", BONDS, name, *MONITOR))
        return UplinkBond.model_construct(
            ports=tuple(self._link(str(each)) for each in ports),
            monitor_ms=None
            if asked is None
            else require_interval_ms(str(asked), place, MONITOR_UNITS),
        )

    def _get(self, *path: str) -> Value:
        found: Value = dict(self._network)
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        return found
