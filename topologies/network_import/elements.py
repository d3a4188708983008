# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's network XML, element by element: what is used, what is checked, what is not looked at.

Source: libvirt, "Network XML format" (of libvirt 11.3). What is not in the table is unknown to this
release, and is listed as not looked at. So nothing that the XML asks for is passed over in silence.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from topologies.network_import.reading import Setting, Treatment
from topologies.network_import.xml_reader import Element

TRANSLATION = ("NT-08", "NT-09", "NT-10")
LEASES = ("NT-04", "NT-05", "NT-06", "IS-05", "RT-06", "OP-06")
NAMES = ("NT-21",)


@dataclass(frozen=True)
class Rule:
    """What becomes of an element or attribute.

    Attributes:
        treatment: as `Setting.treatment`.
        undecides: claims that it takes the ground from.
        values: values for which the treatment is another: those that libvirt fills in by itself,
            and those that a check looks at.
        subtree: the rule is that of everything below it, too.
    """

    treatment: Treatment
    undecides: tuple[str, ...] = ()
    values: Mapping[str, Treatment] = field(default_factory=dict)
    subtree: bool = False


USED: Final = Rule("used")
CHECKED: Final = Rule("checked")
PASSED_OVER: Final = Rule("not looked at")
WHOLE_PASSED_OVER: Final = Rule("not looked at", subtree=True)

RULES: Final[Mapping[str, Rule]] = {
    "network": CHECKED,
    # How many guests are on it just now (NT-18).
    "network@connections": CHECKED,
    "network@xmlns:dnsmasq": CHECKED,
    "network@ipv6": PASSED_OVER,
    "network@trustGuestRxFilters": PASSED_OVER,
    "network/name": USED,
    "network/uuid": USED,
    "network/title": PASSED_OVER,
    "network/description": PASSED_OVER,
    "network/metadata": WHOLE_PASSED_OVER,
    "network/forward": USED,
    "network/forward@mode": USED,
    "network/forward@managed": USED,
    # With it only packets to that device are forwarded.
    "network/forward@dev": PASSED_OVER,
    "network/forward/interface": Rule("not looked at", subtree=True),
    "network/forward/pf": USED,
    "network/forward/pf@dev": USED,
    "network/forward/driver": WHOLE_PASSED_OVER,
    # The live XML lists every virtual function (PT-03).
    "network/forward/address": Rule("checked", subtree=True),
    "network/forward/nat": CHECKED,
    "network/forward/nat@ipv6": Rule("not looked at", values={"no": "checked"}),
    "network/forward/nat/address": Rule("not looked at", TRANSLATION, subtree=True),
    "network/forward/nat/port": CHECKED,
    # libvirt fills in 1024 to 65535 (NT-02, NT-08, NT-09).
    "network/forward/nat/port@start": Rule(
        "not looked at", (*TRANSLATION, "NT-02", "NT-23"), {"1024": "checked"}
    ),
    "network/forward/nat/port@end": Rule(
        "not looked at", (*TRANSLATION, "NT-02", "NT-23"), {"65535": "checked"}
    ),
    "network/bridge": USED,
    "network/bridge@name": USED,
    "network/bridge@stp": USED,
    "network/bridge@delay": USED,
    "network/bridge@zone": PASSED_OVER,
    "network/bridge@macTableManager": Rule("not looked at", values={"kernel": "checked"}),
    # A frame of 1500 octets does not fit a smaller one; the probes send such frames.
    "network/mtu": CHECKED,
    "network/mtu@size": Rule("not looked at", ("NT-22",), {"1500": "checked"}),
    "network/mac": USED,
    "network/mac@address": USED,
    "network/domain": CHECKED,
    "network/domain@name": PASSED_OVER,
    "network/domain@localOnly": Rule("not looked at", values={"no": "checked"}),
    "network/domain@register": PASSED_OVER,
    "network/bandwidth": USED,
    "network/bandwidth/inbound": Rule("used", subtree=True),
    "network/bandwidth/outbound": Rule("used", subtree=True),
    "network/vlan": WHOLE_PASSED_OVER,
    "network/portgroup": WHOLE_PASSED_OVER,
    "network/port": USED,
    "network/port@isolated": USED,
    "network/virtualport": USED,
    "network/virtualport@type": USED,
    "network/virtualport/parameters": WHOLE_PASSED_OVER,
    "network/dns": CHECKED,
    "network/dns@enable": Rule("not looked at", NAMES, {"yes": "checked"}),
    "network/dns@forwardPlainNames": Rule("not looked at", NAMES, {"yes": "checked"}),
    "network/dns/forwarder": Rule("not looked at", NAMES, subtree=True),
    "network/dns/host": WHOLE_PASSED_OVER,
    "network/dns/txt": WHOLE_PASSED_OVER,
    "network/dns/srv": WHOLE_PASSED_OVER,
    "network/ip": USED,
    "network/ip@address": USED,
    "network/ip@netmask": USED,
    "network/ip@prefix": USED,
    "network/ip@family": Rule("not looked at", values={"ipv4": "used"}),
    "network/ip@localPtr": PASSED_OVER,
    "network/ip/tftp": WHOLE_PASSED_OVER,
    "network/ip/dhcp": USED,
    "network/ip/dhcp/range": USED,
    "network/ip/dhcp/range@start": USED,
    "network/ip/dhcp/range@end": USED,
    "network/ip/dhcp/range/lease": WHOLE_PASSED_OVER,
    "network/ip/dhcp/host": Rule("not looked at", ("NT-04", "NT-06", "IS-05"), subtree=True),
    "network/ip/dhcp/bootp": WHOLE_PASSED_OVER,
    "network/route": WHOLE_PASSED_OVER,
    # Passed through to dnsmasq, whose answers they may change in any way.
    "network/dnsmasq:options": Rule("not looked at", (*LEASES, *NAMES), subtree=True),
}


def settings(root: Element, source: str) -> Iterator[Setting]:
    """Give every element and attribute of a network's XML, with its treatment.

    Args:
        root: the element `<network>`.
        source: whose XML it is.
    """
    first_of: dict[str, Element] = {}
    yield from _settings(root, source, first_of, None)


# Of these the first one is used, and the model has no place for another.
SINGLE = ("network/ip", "network/ip/dhcp/range")


def _settings(
    element: Element, source: str, first_of: dict[str, Element], above: Rule | None
) -> Iterator[Setting]:
    rule = above or RULES.get(element.path, WHOLE_PASSED_OVER)
    if above is None and element.path in SINGLE:
        key = element.path
        if _is_ipv6(element) or first_of.setdefault(key, element) is not element:
            more = LEASES if "dhcp" in key else ()
            rule = Rule("not looked at", more, subtree=True)
    below = rule if rule.subtree else None

    def of(rule: Rule, attribute: str | None, value: str) -> Setting:
        treatment = rule.values.get(value, rule.treatment)
        undecides = rule.undecides if treatment == "not looked at" else ()
        return Setting(source, element.path, attribute, element.line, value, treatment, undecides)

    yield of(rule, None, element.text)
    for name, value in element.attributes.items():
        own = below or RULES.get(f"{element.path}@{name}", PASSED_OVER)
        yield of(own, name, value)
    for child in element.children:
        yield from _settings(child, source, first_of, below)


def _is_ipv6(element: Element) -> bool:
    return element.attributes.get("family", "ipv4") != "ipv4"
