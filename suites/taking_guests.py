# SPDX-License-Identifier: GPL-2.0-or-later
"""The guests that take their IPv6 address as their network gives it, by SLAAC or DHCPv6."""

from fixtures.guest.guest import Guest
from fixtures.testbed.testbed import Testbed


def takes(testbed: Testbed, guest: Guest) -> bool:
    """Whether a guest's IPv6 address is not a static one."""
    return all(each.address6 is None for each in testbed.topology.guests if each.name == guest.name)


def taking_guests(testbed: Testbed) -> list[Guest]:
    """Return the guests on the network under test without a static IPv6 address.

    Raises:
        NotInTopology: there are none.
    """
    found = [guest for guest in testbed.guests if takes(testbed, guest)]
    if not found:
        lacks = "a guest that takes its IPv6 address of the network"
        raise testbed.without(lacks, "each guest's address6 is static")
    return found
