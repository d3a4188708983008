# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses that an operator sets aside for the guests of a run: `FIRST-LAST[/PREFIX]`."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, IPv4Network

from topologies.data_error import DataError

OPTION = "--addresses"
PREFIX_MAX = 30


@dataclass(frozen=True)
class AddressRange:
    """Addresses from the first to the last.

    Attributes:
        first: the first one.
        last: the last one.
        prefix: the length of their network's prefix; None: that of the host's address there.
    """

    first: IPv4Address
    last: IPv4Address
    prefix: int | None

    def __str__(self) -> str:
        return f"{self.first}-{self.last}" + ("" if self.prefix is None else f"/{self.prefix}")

    def on(self, subnet: IPv4Network | None) -> Iterator[IPv4Interface]:
        """Give its addresses on a network; none if the network is another.

        Args:
            subnet: the network's addresses as far as the host knows them; None: it knows none.
        """
        prefix = self.prefix if subnet is None else subnet.prefixlen
        if prefix is None or (subnet is not None and self.first not in subnet):
            return
        for number in range(int(self.first), int(self.last) + 1):
            address = IPv4Interface((number, prefix))
            net = address.network
            if address.ip not in (net.network_address, net.broadcast_address):
                yield address


def read_range(text: str) -> AddressRange:
    """Read the value of `--addresses`.

    Raises:
        DataError: it is no range of addresses.
    """
    span, slash, size = text.partition("/")
    first, dash, last = span.partition("-")
    try:
        found = AddressRange(
            IPv4Address(first.strip()),
            IPv4Address(last.strip() if dash else first.strip()),
            int(size) if slash else None,
        )
    except (AddressValueError, ValueError) as error:
        raise _refusal(text, str(error)) from error
    if found.first > found.last:
        raise _refusal(text, f"{found.first} comes after {found.last}")
    if found.prefix is not None and not 0 < found.prefix <= PREFIX_MAX:
        raise _refusal(text, f"/{found.prefix} has no room for guests")
    return found


def _refusal(text: str, what: str) -> DataError:
    return DataError(
        f'"{text}": {what}; expected FIRST-LAST, or FIRST-LAST/PREFIX',
        field=OPTION,
        hint=f"{OPTION} 192.168.1.200-192.168.1.210",
    )
