# SPDX-License-Identifier: GPL-2.0-or-later
"""A network's live XML beside its definition: what is not there, and what is more.

libvirt writes the same in another form (an address in lower case, a number without zeros), fills in
what was left out, and passes over what it does not know.
"""

from collections.abc import Iterator
from ipaddress import ip_address

from topologies.network_import.element_table import RULES
from topologies.network_import.xml_reader import Element

# "network/metadata/site:owner" is kept by libvirt, and belongs to others.
FOREIGN = "network/metadata/"
# What libvirt counts or declares by itself, whatever a definition says.
ITS_OWN = ("connections", "xmlns:dnsmasq")
PF, FUNCTION = "network/forward/pf", "network/forward/address"
CASELESS = ("network/uuid", "network/mac@address", "network/ip/dhcp/host@mac")


def differences(asked: Element, live: Element) -> Iterator[str]:
    """Give what a live network lacks of its definition, and what it has that nobody asked for.

    Args:
        asked: the definition.
        live: the XML of the running network.
    """
    yield from _missing(asked, live)
    yield from _more(asked, live)


def _missing(asked: Element, live: Element) -> Iterator[str]:
    if asked.text and _form(asked.path, asked.text) != _form(live.path, live.text):
        yield f"line {asked.line}: {asked.path} is {live.text or 'empty'}, asked for {asked.text}"
    for name, value in asked.attributes.items():
        if name in ITS_OWN:
            continue
        place = f"{asked.path}@{name}"
        found = live.attributes.get(name)
        if found is None and _is_left_out(place, asked):
            continue
        if found is None:
            yield f'line {asked.line}: {place}="{value}" is not live'
        elif _form(place, found) != _form(place, value):
            yield f'line {asked.line}: {place} is "{found}", asked for "{value}"'
    for one, other in _pairs(asked, live):
        if one is None or one.path.startswith(FOREIGN):
            continue
        if other is None and one.path == PF and _has_functions(live):
            continue
        if other is None:
            yield f"line {one.line}: {_described(one)} is not live"
        else:
            yield from _missing(one, other)


def _more(asked: Element, live: Element) -> Iterator[str]:
    for name, value in live.attributes.items():
        if name not in asked.attributes and not _is_filled_in(f"{live.path}@{name}", value):
            yield f'{live.path}@{name}="{value}" is live, and was not asked for'
    for one, other in _pairs(asked, live):
        if other is None or other.path.startswith(FOREIGN):
            continue
        if one is not None:
            yield from _more(one, other)
        elif _is_filled_in(other.path, other.text):
            # What is below an element that libvirt adds has to be its own as well.
            yield from _more(Element(other.path, other.line, {}), other)
        else:
            yield f"{_described(other)} is live, and was not asked for"


def _pairs(asked: Element, live: Element) -> Iterator[tuple[Element | None, Element | None]]:
    """Pair the elements below two others: those that are alike first, then by their name."""
    left = list(live.children)
    alone: list[Element] = []
    for one in asked.children:
        alike = next((other for other in left if _are_alike(one, other)), None)
        if alike is None:
            alone.append(one)
            continue
        left.remove(alike)
        yield one, alike
    for one in alone:
        other = next((each for each in left if each.path == one.path), None)
        if other is not None:
            left.remove(other)
        yield one, other
    for each in left:
        yield None, each


def _are_alike(one: Element, other: Element) -> bool:
    """Whether the second has all that the first asks for, with what is below it."""
    return one.path == other.path and not list(_missing(one, other))


def _is_filled_in(place: str, value: str) -> bool:
    """Whether libvirt adds an element or attribute with a value by itself."""
    rule = RULES.get(place)
    if rule is None or isinstance(rule.filled_in, bool):
        return rule is not None and bool(rule.filled_in)
    return value in rule.filled_in


def _is_left_out(place: str, element: Element) -> bool:
    """Whether libvirt leaves an attribute out that asks for nothing beside the others."""
    rule = RULES.get(place)
    if rule is None or not rule.left_out:
        return False
    return rule.left_out.items() <= element.attributes.items()


def _has_functions(forward: Element) -> bool:
    """Whether a running network has functions of a NIC.

    libvirt keeps them in its file of what runs, without the NIC: after its next start the live XML
    has the functions alone.
    """
    return any(each.path == FUNCTION for each in forward.children)


def _described(element: Element) -> str:
    attributes = "".join(f' {name}="{value}"' for name, value in element.attributes.items())
    text = f" {element.text}" if element.text else ""
    return f"{element.path}{attributes}{text}"


def _form(place: str, value: str) -> str:
    """Return a value in the form in which libvirt and its user may be compared."""
    if place in CASELESS:
        return value.lower().replace("-", "")
    try:
        return str(ip_address(value))
    except ValueError:
        pass
    try:
        # 0x01 of a PCI address, 08 of a delay
        return str(int(value, 16 if value.startswith("0x") else 10))
    except ValueError:
        return value
