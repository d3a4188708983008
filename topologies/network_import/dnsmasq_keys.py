# SPDX-License-Identifier: GPL-2.0-or-later
"""What libvirt's dnsmasq serves on a network, and its static routes, read from the network's XML.

An entry that the model cannot have, such as one of IPv6, is left unread: it is listed as not looked
at, and does not keep the others from being read. Source: libvirt, "Network XML format".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from types import MappingProxyType
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from topologies.dhcp import Bootp, DnsmasqOption, LeaseTime, Reservation, Tftp
from topologies.dns import Dns, DnsHost, DnsSrv, DnsTxt, Domain, Forwarder
from topologies.network_import.xml_reader import Element
from topologies.part import Part
from topologies.static_route import StaticRoute
from topologies.yaml_reader import FieldPath

# What only a network with an address has: there libvirt starts dnsmasq.
SERVED: Final = ("domain", "dns", "route", "dnsmasq:options")
YES_NO: Final = MappingProxyType({"yes": True, "no": False})

P = TypeVar("P", bound=Part)


@dataclass
class DnsmasqKeys:
    """The keys of the model that were read.

    Attributes:
        keys: by their names in `Network`.
        places: the element that each entry of a key was read from, by the key's path.
        unread: the elements that the model cannot have, by their identity.
    """

    keys: dict[str, Any] = field(default_factory=dict)
    places: dict[FieldPath, Element] = field(default_factory=dict)
    unread: dict[int, Element] = field(default_factory=dict)


def unserved(root: Element) -> DnsmasqKeys:
    """Read a network on which libvirt starts no dnsmasq: whatever is asked of that is left over."""
    found = DnsmasqKeys()
    for name in SERVED:
        found.unread |= {id(each): each for each in root.find(name)}
    return found


def served_by_ipv6(root: Element) -> DnsmasqKeys:
    """Read a network with IPv6 alone: the model has of its DNS server that there is none.

    Options may change whatever the dnsmasq does. Names, forwarders and routes are left over.
    """
    found = unserved(root)
    for options in root.find("dnsmasq:options"):
        del found.unread[id(options)]
        found.unread |= {id(each): each for each in options.children}
    dns = root.first("dns")
    if dns is not None and dns.attributes.get("enable") == "no":
        del found.unread[id(dns)]
        found.unread |= {id(each): each for each in dns.children}
        found.keys["dns"] = Dns(enable=False)
        found.places["dns",] = dns
    return found


def dnsmasq_keys(root: Element, ip: Element, address: IPv4Interface) -> DnsmasqKeys:
    """Read what the dnsmasq of a network serves.

    Args:
        root: the element `<network>`.
        ip: its element `<ip>` that is the network's address.
        address: that address.
    """
    reader = _Reader(address)
    reader.read(root, ip)
    return reader.found


class _Reader:
    """Reads one network's elements, each into a part of the model.

    Args:
        address: the network's address.
    """

    def __init__(self, address: IPv4Interface) -> None:
        self.found = DnsmasqKeys()
        self._address = address

    def read(self, root: Element, ip: Element) -> None:
        """Read all of it."""
        keys = {
            "domain": self._only(root, "domain", _domain, ("domain",)),
            "dns": self._dns(root),
            "tftp": self._only(ip, "tftp", _tftp, ("tftp",)),
            "routes": tuple(self._every(root.find("route"), _route, ("routes",))),
            "dnsmasq_options": tuple(self._options(root)),
            "dhcp": self._dhcp(ip.first("dhcp")),
        }
        self.found.keys = {key: value for key, value in keys.items() if value not in (None, ())}

    def _every(
        self, elements: Iterator[Element], made: Callable[[Element], P], path: FieldPath
    ) -> Iterator[P]:
        """Give the parts that elements are; those that are none are left unread."""
        count = 0
        for element in elements:
            try:
                part = made(element)
            # Of pydantic's too.
            except ValueError:
                self.found.unread[id(element)] = element
                continue
            self.found.places[*path, count] = element
            count += 1
            yield part

    def _only(
        self, around: Element, name: str, made: Callable[[Element], P], path: FieldPath
    ) -> P | None:
        """Return the part that the first element of a name is; None: there is none."""
        parts = list(self._every(around.find(name), made, path))
        if parts:
            self.found.places[path] = self.found.places[*path, 0]
        return parts[0] if parts else None

    def _dns(self, root: Element) -> Dns | None:
        element = root.first("dns")
        if element is None:
            return None
        path = ("dns",)
        self.found.places[path] = element
        switches = {
            key: YES_NO[element.attributes[name]]
            for key, name in (("enable", "enable"), ("forward_plain_names", "forwardPlainNames"))
            if element.attributes.get(name) in YES_NO
        }
        return Dns(
            forwarders=tuple(
                self._every(element.find("forwarder"), _forwarder, (*path, "forwarders"))
            ),
            hosts=tuple(self._every(element.find("host"), _dns_host, (*path, "hosts"))),
            txt=tuple(self._every(element.find("txt"), _txt, (*path, "txt"))),
            srv=tuple(self._every(element.find("srv"), _srv, (*path, "srv"))),
            **switches,
        )

    def _dhcp(self, served: Element | None) -> dict[str, Any] | None:
        """Return the DHCP server; None: it has nothing to hand out."""
        if served is None:
            return None
        path = ("dhcp",)
        given = served.first("range")
        hosts = tuple(self._every(served.find("host"), self._reservation, (*path, "hosts")))
        if given is None and not hosts:
            self.found.unread |= {id(each): each for each in served.find("bootp")}
            return None
        ends = {key: given and given.attributes.get(key) for key in ("start", "end")}
        lease = None if given is None else self._only(given, "lease", lease_time, (*path, "lease"))
        bootp = self._only(served, "bootp", _bootp, (*path, "bootp"))
        # The range's ends are the model's to refuse: libvirt refuses them as well.
        return {**ends, "lease": lease, "hosts": hosts, "bootp": bootp}

    def _reservation(self, element: Element) -> Reservation:
        data = {key: element.attributes.get(key) for key in ("mac", "name", "ip")}
        lease = element.first("lease")
        made = Reservation.model_validate(data | {"lease": lease and lease_time(lease)})
        if made.mac is None and made.name is None:
            raise ValueError("it is for no client that libvirt tells dnsmasq of")
        if made.ip not in self._address.network or made.ip == self._address.ip:
            raise ValueError("no client here can have its address")
        return made

    def _options(self, root: Element) -> Iterator[str]:
        passed = root.first("dnsmasq:options")
        option: TypeAdapter[str] = TypeAdapter(DnsmasqOption)
        for element in () if passed is None else passed.find("dnsmasq:option"):
            try:
                yield option.validate_python(element.attributes.get("value", ""))
            except ValidationError:
                self.found.unread[id(element)] = element


def _domain(element: Element) -> Domain:
    local = element.attributes.get("localOnly") == "yes"
    return Domain.model_validate({"name": element.attributes.get("name"), "local_only": local})


def _tftp(element: Element) -> Tftp:
    return Tftp.model_validate(dict(element.attributes))


def _bootp(element: Element) -> Bootp:
    return Bootp.model_validate(dict(element.attributes))


def _forwarder(element: Element) -> Forwarder:
    given = element.attributes
    made = Forwarder.model_validate({"address": given.get("addr"), "domain": given.get("domain")})
    if set(given) - {"addr", "domain"}:
        raise ValueError("it has more than the model has")
    return made


def _dns_host(element: Element) -> DnsHost:
    names = [each.text for each in element.find("hostname")]
    return DnsHost.model_validate({"ip": element.attributes.get("ip"), "names": names})


def _txt(element: Element) -> DnsTxt:
    return DnsTxt.model_validate({key: element.attributes.get(key) for key in ("name", "value")})


def _srv(element: Element) -> DnsSrv:
    given = element.attributes
    words = {key: given.get(key) for key in ("service", "protocol", "domain", "target")}
    numbers = {key: _number(given.get(key)) for key in ("port", "priority", "weight")}
    return DnsSrv.model_validate(words | numbers)


def lease_time(element: Element) -> LeaseTime:
    """Return the lease time that an element `<lease>` is.

    Raises:
        ValueError: it is none.
    """
    given: dict[str, object] = {"expiry": _number(element.attributes.get("expiry"))}
    if (unit := element.attributes.get("unit")) is not None:
        given["unit"] = unit
    return LeaseTime.model_validate(given)


def _route(element: Element) -> StaticRoute:
    given = element.attributes
    # Without either it is that of all addresses.
    size = given.get("prefix") or given.get("netmask") or 0
    to, metric = f"{given.get('address')}/{size}", _number(given.get("metric"))
    return StaticRoute.model_validate({"to": to, "gateway": given.get("gateway"), "metric": metric})


def _number(text: str | None) -> int | None:
    """Return a number as an attribute has it; None: it is left out.

    Raises:
        ValueError: it is none.
    """
    return None if text is None else int(text)
