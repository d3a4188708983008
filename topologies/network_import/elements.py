# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's network XML, element by element: what is used, what is checked, what is not looked at.

What is not in the table is unknown to this release, and is listed as not looked at. So nothing that
the XML asks for is passed over in silence.
"""

from collections.abc import Collection, Iterator
from typing import Final

from topologies.network_import.element_table import ADVERTISED, LEASES, RULES, SERVER, Rule
from topologies.network_import.ipv6_elements import RULES6, UNREAD_RANGE
from topologies.network_import.reading import Setting
from topologies.network_import.xml_reader import Element

ADDRESS: Final = "network/ip"
UNKNOWN: Final = Rule("not looked at", subtree=True)
# Of these the first one is used, and the model has no place for another.
SINGLE: Final = ("network/ip/dhcp/range", "network/forward/interface")
# Of IPv6 they are beside those of IPv4, and change nothing of these.
OF_EACH_FAMILY: Final = ("network/dns/host", "network/route")
# What a newer libvirt adds here may change who reaches whom.
DECIDES_REACH: Final = ("network/forward", "network/port")


def settings(
    root: Element, source: str, unread: Collection[int] = (), *, built: bool = False
) -> Iterator[Setting]:
    """Give every element and attribute of a network's XML, with its treatment.

    Args:
        root: the element `<network>`.
        source: whose XML it is.
        unread: the identities of elements that the model cannot have.
        built: a run makes the network of it; else it exists.
    """
    yield from _Reader(source, unread, built).settings(root, None)


def unknown(root: Element) -> Iterator[tuple[Element, str]]:
    """Give what the table does not know where it may change what is promised.

    Each with the element that has it, and its name as in `forward@newer`.
    """
    for element in root.walk():
        around = element.path.rpartition("/")[0]
        if _decides_reach(around) and element.path not in RULES:
            yield element, element.path
        elif _decides_reach(element.path):
            places = (f"{element.path}@{name}" for name in element.attributes)
            yield from ((element, place) for place in places if place not in RULES)


def _decides_reach(path: str) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in DECIDES_REACH)


class _Reader:
    """Reads one network's XML by the table.

    Args:
        source: whose XML it is.
        unread: the identities of elements that the model cannot have.
        built: a run makes the network of it.
    """

    def __init__(self, source: str, unread: Collection[int], built: bool) -> None:
        self._source = source
        self._unread = unread
        self._built = built
        self._first_of: dict[tuple[str, bool], Element] = {}
        # Whether what is read now is below an address of IPv6.
        self._of_ipv6 = False

    def settings(self, element: Element, above: Rule | None) -> Iterator[Setting]:
        """Give an element, its attributes and what is below it.

        Args:
            element: the element.
            above: the rule of the element around it, if it is that of everything below.
        """
        if element.path == ADDRESS:
            self._of_ipv6 = _is_ipv6(element)
        rule = above or self._rule_of(element)
        below = rule if rule.subtree else None
        yield self._setting(rule, element, None, element.text)
        for name, value in element.attributes.items():
            own = below or self._known(f"{element.path}@{name}")
            yield self._setting(own, element, name, value)
        for child in element.children:
            yield from self.settings(child, below)

    def _known(self, place: str) -> Rule:
        below_ipv6 = self._of_ipv6 and place.startswith(f"{ADDRESS}/")
        return (RULES6 if below_ipv6 else RULES).get(place, UNKNOWN)

    def _rule_of(self, element: Element) -> Rule:
        if element.path == ADDRESS and _is_ipv6(element) and id(element) in self._unread:
            # A range of the other family is in the same configuration of dnsmasq, and each prefix
            # in the same advertisement.
            return Rule("not looked at", undecides=(*SERVER, *ADVERTISED), subtree=True)
        if (
            element.path in SINGLE
            and self._first_of.setdefault((element.path, self._of_ipv6), element) is not element
        ):
            leases = (*SERVER, *UNREAD_RANGE) if self._of_ipv6 else LEASES
            more = leases if "dhcp" in element.path else ()
            return Rule("not looked at", undecides=more, subtree=True)
        if id(element) in self._unread:
            beside = element.path in OF_EACH_FAMILY and _is_ipv6(element)
            claims = () if beside else self._known(element.path).unread
            return Rule("not looked at", undecides=claims, subtree=True)
        return self._known(element.path)

    def _setting(self, rule: Rule, element: Element, name: str | None, value: str) -> Setting:
        treatment = (rule.built if self._built else None) or rule.treatment
        known = value in rule.values
        undecided = rule.undecides if rule.undecides_by is None else rule.undecides_by(value)
        return Setting(
            self._source,
            element.path,
            name,
            element.line,
            value,
            rule.values[value] if known else treatment,
            () if known else undecided,
        )


def _is_ipv6(element: Element) -> bool:
    named = element.attributes.get("family", "ipv4") != "ipv4"
    return named or ":" in element.attributes.get("ip", "")
