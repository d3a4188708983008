# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of the keywords of `/etc/network/interfaces`, and what becomes of each.

Source: interfaces(5) and bridge-utils-interfaces(5) of Debian, ifupdown2's addons, the ifupdown
scripts of ifenslave, vlan and openvswitch-switch. `docs/topologies.md` shows the table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from topologies.network_import.reading import Treatment

LEARNING: Final = ("LB-08", "LB-09", "LB-10", "LB-11")
AGEING_DEFAULT_S: Final = 300
COMMANDS: Final = ("pre-up", "up", "post-up", "down", "pre-down", "post-down")


@dataclass(frozen=True)
class Keyword:
    """What becomes of a keyword.

    Attributes:
        treatment: as `Setting.treatment`.
        by: the key of a topology file that it is, or in a few words what is done with it.
        undecides: gives the claims that a value takes the ground from.
    """

    treatment: Treatment
    by: str = ""
    undecides: Callable[[str], tuple[str, ...]] = lambda _value: ()


def used(by: str) -> Keyword:
    """Return the rule of what is a key of a topology file."""
    return Keyword("used", by)


def ageing(value: str) -> tuple[str, ...]:
    """Return the claims that an ageing time takes the ground from; at 0 nothing is learnt."""
    number = value.removesuffix("s").removesuffix(".0")
    if not number.isdecimal():
        return LEARNING
    return () if int(number) == AGEING_DEFAULT_S else LEARNING if int(number) == 0 else ("LB-09",)


def times(value: str) -> tuple[str, ...]:
    """Return the claims that a time of the spanning tree takes the ground from.

    LB-06 wants what the topology asks for, and a topology has whole seconds alone.
    """
    return () if value.removesuffix("s").removesuffix(".0").isdecimal() else ("LB-06",)


def _off(*claims: str) -> Callable[[str], tuple[str, ...]]:
    return lambda value: claims if value.lower() in ("off", "no", "0") else ()


_NOT: Final = Keyword("not looked at")
_COMMAND: Final = Keyword("not looked at", "ifup runs it; no check looks at what it does")

BRIDGE: Final[Mapping[str, Keyword]] = {
    "address": used("`networks.address`: the first of IPv4"),
    "netmask": used("`networks.address`"),
    "gateway": used("`physical.router`"),
    "bridge-ports": used("`networks.uplink`: the first NIC, bond or VLAN of them"),
    "bridge-stp": used("`networks.stp`"),
    "bridge-fd": used("`networks.forward_delay_s`"),
    "bridge-hw": used("`networks.mac`"),
    "hwaddress": used("`networks.mac`"),
    "mtu": used("`physical.mtu`"),
    "bridge-maxwait": used("ifup waits that long for the ports"),
    "bridge-waitport": used("ifup waits that long for the ports"),
    "ovs-type": used("`networks.switch`"),
    "ovs-ports": used("`networks.uplink`"),
    "bridge-ageing": Keyword("used", "`networks.bridge_settings.ageing_s`", ageing),
    "bridge-bridgeprio": used("`networks.bridge_settings.priority`"),
    "bridge-hello": Keyword("used", "`networks.bridge_settings.hello_s`", times),
    "bridge-maxage": Keyword("used", "`networks.bridge_settings.max_age_s`", times),
    **dict.fromkeys(
        ("bridge-pathcost", "bridge-pathcosts"),
        used("`networks.bridge_settings.uplink_cost`; of other ports not looked at"),
    ),
    **dict.fromkeys(
        ("bridge-portprio", "bridge-portprios"),
        used("`networks.bridge_settings.uplink_priority`; of other ports not looked at"),
    ),
    "bridge-vlan-aware": used("`networks.bridge_settings.vlan_aware`"),
    "bridge-learning": Keyword("not looked at", undecides=lambda _value: LEARNING),
    "bridge-unicast-flood": Keyword("not looked at", undecides=_off("LB-10")),
    **dict.fromkeys(COMMANDS, _COMMAND),
    **dict.fromkeys(
        (
            *("bridge-vids", "bridge-pvid", "bridge-vlan-protocol"),
            *("bridge-vlan-stats", "bridge-vlan-vni-map", "bridge-allow-untagged"),
            *(
                "bridge-gcint",
                "bridge-cost",
                "bridge-port-vids",
                "bridge-port-pvids",
                "bridge-hairpin",
            ),
            *("bridge-mcsnoop", "bridge-mcquerier", "bridge-mcqifaddr", "bridge-mcrouter"),
            *("bridge-hashel", "bridge-hashmax", "bridge-mclmc", "bridge-mclmi", "bridge-mcmi"),
            *("bridge-mcsqc", "bridge-mcqpi", "bridge-mcqi", "bridge-mcqri", "bridge-mcsqi"),
            *("bridge-mcqv4src", "bridge-mcstats", "bridge-portmcrouter", "bridge-portmcfl"),
            *("bridge-igmp-version", "bridge-mld-version", "bridge-multicast-flood"),
            *("bridge-broadcast-flood", "bridge-arp-nd-suppress", "bridge-always-up"),
            *("bridge-l2protocol-tunnel", "bridge-disable-linklocal-ipv6-also-phys"),
            *("ovs-options", "ovs-extra", "ovs-mtu"),
            *("broadcast", "network", "metric", "pointopoint", "scope", "label", "accept-ra"),
            *("autoconf", "dad-attempts", "dad-interval", "privext", "hostname", "client"),
            *(
                "dns-nameserver",
                "dns-nameservers",
                "dns-search",
                "dns-domain",
                "alias",
                "link-type",
            ),
            *("requires", "pre-up-script", "vlan-raw-device", "vlan-id", "address-virtual", "vrf"),
            *("ip-forward", "ip6-forward", "mpls-enable", "addr-method", "inherits", "description"),
        ),
        _NOT,
    ),
}
"""Of a bridge's own stanza."""

DECIDES_REACH: Final = ("bridge-", "ovs-")
"""What a newer release adds here may change who reaches whom."""
