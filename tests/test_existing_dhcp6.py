# SPDX-License-Identifier: GPL-2.0-or-later
"""DHCPv6 of the networks that a machine has: leases of the guests' own, given back at the end."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.exit_codes import EXIT_USAGE
from fixtures.guest import image as images
from fixtures.waiting import poll
from tests.existing_verdicts import every, reach, run_on
from tests.host_with_networks import MachineWithNetworks, machine_with_networks

pytestmark = pytest.mark.host

RESERVED = "<host id='00:03:00:01:52:54:00:0b:0b:{}' ip='fd00:98:{}::{}'/>"
SERVING = """\
<network>
  <name>{name}</name>
  <forward mode='nat'><nat ipv6='yes'/></forward>
  <bridge name='vir{name}' stp='off'/>
  {ipv4}
  <ip family='ipv6' address='fd00:98:{number}::1' prefix='64'>
    <dhcp>{served}</dhcp>
  </ip>
</network>
"""
IPV4 = (
    "<ip address='10.98.{0}.1' prefix='24'>"
    "<dhcp><range start='10.98.{0}.2' end='10.98.{0}.254'/></dhcp></ip>"
)


def serving(name: str, number: int, *hosts: str, ipv4: bool, last: str | None = "1ff") -> str:
    """Return a network with a DHCPv6 server, as its XML.

    Args:
        name: its name.
        number: what its addresses have of their own.
        hosts: the last parts of the addresses that are kept for clients.
        ipv4: it has IPv4 as well.
        last: the last part of the last address of its server's range; None: it has no range.
    """
    served = ""
    if last is not None:
        served = f"<range start='fd00:98:{number}::100' end='fd00:98:{number}::{last}'/>"
    kept = "".join(RESERVED.format(f"{at:02}", number, own) for at, own in enumerate(hosts, 60))
    own = IPV4.format(number) * ipv4
    return SERVING.format(name=name, number=number, served=served + kept, ipv4=own)


@pytest.fixture(scope="module")
def machine() -> Iterator[MachineWithNetworks]:
    image = images.cached()
    assert image is not None
    with machine_with_networks(image) as made:
        yield made


def test_networks_with_dhcpv6(machine: MachineWithNetworks, tmp_path: Path) -> None:
    names = ("leased6", "alone6")
    claims = ("DF-01", "V6-03", "V6-11", *(f"V6-{number}" for number in range(16, 20)))
    with contextlib.ExitStack() as stack:
        asked: list[str] = []
        for name, number in zip(names, (44, 45), strict=True):
            xml = serving(name, number, "100", "20", ipv4=name == "leased6")
            stack.enter_context(machine.with_network(xml))
            asked += ["--network", name]
        record, verdicts = run_on(machine, tmp_path, *asked, claims=claims)
        # The guests have given theirs back; libvirt's list is behind dnsmasq for a moment.
        networks = [machine.host.libvirt.networkLookupByName(name) for name in names]
        left = poll(
            lambda: [lease for each in networks for lease in each.DHCPLeases()],
            lambda found: not found,
            deadline_s=20.0,
        )
        assert not left
    for name in names:
        for cell in ("guest-to-guest", "guest-to-host", "host-to-guest"):
            assert reach(f"network-{name}", cell, verdicts) == every("conforms"), (name, cell)
        for check in (
            "dhcpv6.guests_are_leased_their_addresses",
            "dhcpv6_offers.offers_are_of_the_range",
            "ipv6_advertisements.guests_take_the_prefix",
            "ipv6_advertisements.prefix_is_advertised",
            "ipv6_rules.prefix_is_masqueraded",
        ):
            verdict, reason = verdicts[f"{check}[network-{name}]"]
            assert verdict == "conforms", (check, reason)
        for check, change in (
            ("reserved_address_for_its_duid", "takes leases of DHCPv6 as the clients of"),
            ("range_of_dhcpv6_and_no_other", "leases addresses of the range"),
        ):
            verdict, reason = verdicts[f"dhcpv6.{check}[network-{name}]"]
            assert (verdict, change in reason) == ("not-testable", True), (check, reason)
    assert not [each for each in verdicts.values() if each[0] == "violates"], verdicts
    seen = {each["name"]: each for each in record["topologies"]}
    assert {each["not_looked_at"] == [] for name, each in seen.items() if name != "host"} == {True}


@pytest.mark.parametrize(
    ("last", "why"),
    [
        (None, "addresses for the clients of its reservations alone"),
        ("102", "2 of the 3 addresses of its DHCPv6 range"),
    ],
)
def test_a_network_that_has_no_addresses_for_the_guests(
    machine: MachineWithNetworks, tmp_path: Path, last: str | None, why: str
) -> None:
    asked = ("run", "--host", "local", "--output", str(tmp_path / "run"), "--network", "known6")
    with machine.with_network(serving("known6", 46, "100", ipv4=False, last=last)):
        done = machine.plumbline(*asked, folder=tmp_path)
    assert done.status == EXIT_USAGE, str(done)
    assert why in done.stderr
