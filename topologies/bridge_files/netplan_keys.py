# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of netplan's keys, and what becomes of each.

Source: netplan's YAML reference; what `netplan generate` takes. `docs/topologies.md` shows the
table.
"""

from collections.abc import Mapping
from typing import Final

from topologies.bridge_files.keywords import Keyword, ageing, times, used

NOT: Final = Keyword("not looked at")

OFF: Final = ("false", "no", "off", "n")
"""netplan's words for what is off."""

BRIDGE: Final[Mapping[str, Keyword]] = {
    "interfaces": used("`networks.uplink`: the first NIC, bond or VLAN of them"),
    "addresses": used("`networks.address`: the first of IPv4"),
    "gateway4": used("`physical.router`"),
    "routes": used(
        "`physical.router`: `via` of the first IPv4 default route of the main table; others are "
        "not looked at"
    ),
    "macaddress": used("`networks.mac`"),
    "mtu": used("`physical.mtu`"),
    "parameters": used("its keys"),
    "parameters.stp": used("`networks.stp`; left out: on, as netplan has it"),
    "parameters.forward-delay": used("`networks.forward_delay_s`"),
    "openvswitch": used("`networks.switch`"),
    "dhcp4": Keyword("not looked at", "the run gives the bridge its address"),
    **dict.fromkeys(
        ("parameters.ageing-time", "parameters.aging-time"),
        Keyword("used", "`networks.bridge_settings.ageing_s`", ageing),
    ),
    "parameters.priority": used("`networks.bridge_settings.priority`"),
    "parameters.hello-time": Keyword("used", "`networks.bridge_settings.hello_s`", times),
    "parameters.path-cost": used(
        "`networks.bridge_settings.uplink_cost`; of other ports not looked at"
    ),
    "parameters.port-priority": used(
        "`networks.bridge_settings.uplink_priority`; of other ports not looked at"
    ),
    "parameters.max-age": Keyword("used", "`networks.bridge_settings.max_age_s`", times),
    **dict.fromkeys(
        (
            *("openvswitch.external-ids", "openvswitch.other-config", "openvswitch.fail-mode"),
            *("openvswitch.mcast-snooping", "openvswitch.protocols", "openvswitch.rstp"),
            *("openvswitch.controller", "renderer", "dhcp6", "dhcp4-overrides", "dhcp6-overrides"),
            *("dhcp-identifier", "gateway6", "nameservers", "accept-ra", "link-local"),
            *("optional", "optional-addresses", "critical", "ignore-carrier", "routing-policy"),
            *("ipv6-privacy", "ipv6-address-generation", "ipv6-address-token", "ipv6-mtu"),
            *("activation-mode", "neigh-suppress", "networkmanager"),
        ),
        NOT,
    ),
}
"""Of a bridge, by the path below it."""

DEVICES: Final = (
    *("ethernets", "modems", "wifis", "bridges", "bonds", "vlans", "tunnels", "vrfs"),
    *("dummy-devices", "virtual-ethernets", "nm-devices"),
)
"""The sections of interfaces."""
