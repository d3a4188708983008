# SPDX-License-Identifier: GPL-2.0-or-later
"""The listings of brctl, as the documents print them, and the sockets of a dnsmasq."""

import pytest

from fixtures.probe.dnsmasq import LISTENING
from fixtures.switch.brctl import ShownBridge, ShownMac, shown, shown_macs

# D5's, with the tabs of brctl.
SHOW = (
    "bridge name\tbridge id\t\tSTP enabled\tinterfaces\n"
    "br0\t\t8000.000c298decbe\tno\t\teth0\n"
    "\t\t\t\t\t\t\tvnet0\n"
    "virbr0\t\t8000.000000000000\tyes\t\t\n"
)
# D4's.
MACS = (
    "port no\tmac addr\t\tis local?\tageing timer\n"
    "  1\t52:54:00:55:9b:d6\tno\t\t 268.02\n"
    "  1\tfe:54:00:55:9b:d6\tyes\t\t   0.00\n"
)


def test_a_bridge_has_the_ports_of_the_lines_below_it() -> None:
    assert shown(SHOW, "br0") == ShownBridge("8000.000c298decbe", "no", ["eth0", "vnet0"])
    assert shown(SHOW, "virbr0") == ShownBridge("8000.000000000000", "yes", [])
    assert shown(SHOW, "br1") is None


def test_addresses_are_listed_without_their_age() -> None:
    assert shown_macs(MACS) == [
        ShownMac(1, "52:54:00:55:9b:d6", "no"),
        ShownMac(1, "fe:54:00:55:9b:d6", "yes"),
    ]


@pytest.mark.parametrize(
    ("local", "address", "link", "port"),
    [
        ("10.10.10.1:53", "10.10.10.1", None, "53"),
        ("0.0.0.0%virbr1:67", "0.0.0.0", "virbr1", "67"),
        ("[fe80::5054:ff:fe00:1]%virbr1:53", "fe80::5054:ff:fe00:1", "virbr1", "53"),
        ("*:67", "*", None, "67"),
    ],
)
def test_sockets_are_read_with_the_link_that_they_are_bound_to(
    local: str, address: str, link: str | None, port: str
) -> None:
    line = f'udp UNCONN 0 0 {local} 0.0.0.0:* users:(("dnsmasq",pid=123,fd=4))'
    found = LISTENING.match(line)
    assert found is not None
    assert (found["address"], found["link"], found["port"]) == (address, link, port)
    assert found["pid"] == "123"
