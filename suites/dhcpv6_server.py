# SPDX-License-Identifier: GPL-2.0-or-later
"""The DHCPv6 server of the network under test, as its data have it."""

from ipaddress import IPv6Address

from fixtures.testbed.testbed import Testbed
from topologies.dhcp6 import Dhcp6, Dhcp6Range

# RFC 3849, documentation: of no subnet here.
ELSEWHERE = IPv6Address("2001:db8:ffff::1")

Wish = IPv6Address | None
"""The address that a client asks for; None: any."""


def dhcp6_of(testbed: Testbed) -> Dhcp6:
    """Return what the server hands out.

    Raises:
        NotInTopology: there is none.
    """
    if (found := testbed.topology.network.dhcp6) is None:
        raise testbed.without("a DHCPv6 server", "networks[0].dhcp6 is null")
    return found


def range6_of(testbed: Testbed) -> Dhcp6Range:
    """Return the server's range.

    Raises:
        NotInTopology: it has none.
    """
    if (found := dhcp6_of(testbed).range) is None:
        raise testbed.without("a range of DHCPv6", "networks[0].dhcp6 has none")
    return found
