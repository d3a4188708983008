# SPDX-License-Identifier: GPL-2.0-or-later
"""A DHCPv6 range with too few free addresses: its network's guests take none of it."""

from types import SimpleNamespace
from typing import Any, cast

import libvirt
import pytest

from contracts.run_settings import RunSettings
from fixtures.host.host import Host
from fixtures.testbed.existing_networks import find_existing
from topologies.data_error import DataError
from topologies.network_import.imported import Imported

WITH_IPV4 = (
    "<ip address='10.98.47.1' prefix='24'>"
    "<dhcp><range start='10.98.47.2' end='10.98.47.254'/></dhcp></ip>"
)
NETWORK = """\
<network>
  <name>small6</name>
  <bridge name='virsmall6'/>
  {ipv4}
  <ip family='ipv6' address='fd00:98:47::{own}' prefix='64'>
    <dhcp>
      <range start='fd00:98:47::100' end='fd00:98:47::{last}'/>
      {kept}
    </dhcp>
  </ip>
</network>
"""
BY_DUID = "<host id='00:03:00:01:52:54:00:0b:0b:60' ip='fd00:98:47::100'/>"
BY_NAME = "<host name='files' ip='fd00:98:47::101'/>"
OUTSIDE = "<host id='00:03:00:01:52:54:00:0b:0b:61' ip='fd00:98:47::20'/>"
TOO_FEW = "of the {} addresses of its DHCPv6 range fd00:98:47::100 – fd00:98:47::{}"


def lease(address: str) -> dict[str, Any]:
    is_ipv6 = ":" in address
    kinds = (libvirt.VIR_IP_ADDR_TYPE_IPV4, libvirt.VIR_IP_ADDR_TYPE_IPV6)
    return {"type": kinds[is_ipv6], "ipaddr": address}


def found(*leased: str, last: str, kept: str = "", own: str = "1", ipv4: str = "") -> Imported:
    """Return the network of a host as a run has it that asks for it."""
    text = NETWORK.format(last=last, kept=kept, own=own, ipv4=ipv4)
    network = SimpleNamespace(
        name=lambda: "small6",
        isActive=lambda: 1,
        XMLDesc=lambda: text,
        DHCPLeases=lambda: [lease(each) for each in leased],
    )
    asked = SimpleNamespace(
        listAllNetworks=lambda: [network], networkLookupByName=lambda _name: network
    )
    host = cast("Host", SimpleNamespace(libvirt=asked))
    (made,) = find_existing(host, RunSettings(network=("small6",))).networks
    return made


@pytest.mark.parametrize("ipv4", ["", WITH_IPV4])
@pytest.mark.parametrize(
    ("last", "kept", "leased"),
    [
        ("102", "", ()),
        ("103", BY_DUID, ()),
        ("103", OUTSIDE, ("fd00:98:47::103",)),
        # Its client has it, as one use.
        ("103", BY_DUID, ("fd00:98:47::100",)),
        ("102", "", ("fd00:98:47::20", "10.98.47.9")),
    ],
)
def test_with_three_free_addresses_guests_take_two(
    last: str, kept: str, leased: tuple[str, ...], ipv4: str
) -> None:
    network = found(*leased, last=last, kept=kept, ipv4=ipv4).network
    assert network.dhcp6 is not None
    assert network.address6 is not None


SMALL = [
    ("101", "", "1", (), 2),
    ("102", BY_DUID, "1", (), 2),
    ("102", BY_NAME, "1", (), 2),
    ("102", "", "102", (), 2),
    ("103", BY_DUID, "1", ("fd00:98:47::102", "fd00:98:47::103"), 1),
    ("100", "", "1", ("fd00:98:47::100",), 0),
]


@pytest.mark.parametrize(("last", "kept", "own", "leased", "free"), SMALL)
def test_with_fewer_its_ipv6_is_not_looked_at(
    last: str, kept: str, own: str, leased: tuple[str, ...], free: int
) -> None:
    made = found(*leased, last=last, kept=kept, own=own, ipv4=WITH_IPV4)
    assert (made.network.dhcp6, made.network.address6, made.network.nat6) == (None, None, False)
    assert made.network.dhcp is not None
    listed = made.reading.not_looked_at
    why = listed[-1].value
    assert why.startswith(f"{free} {TOO_FEW.format(int(last) - 99, last)}"), why
    assert why.endswith("expected 3, one for each guest and one that stays free")
    assert {("network/ip", "address"), ("network/ip/dhcp/range", "start")} <= {
        (each.element, each.attribute) for each in listed
    }
    asked = made.topology(macs=("52:54:00:00:00:01", "52:54:00:00:00:02"))
    assert [family.name for family in asked.families] == ["ipv4"]


@pytest.mark.parametrize(("last", "kept", "own", "leased", "free"), SMALL)
def test_with_fewer_and_ipv6_alone_it_is_left_out(
    last: str, kept: str, own: str, leased: tuple[str, ...], free: int
) -> None:
    with pytest.raises(DataError, match=f"has IPv6 alone, and {free} of the") as caught:
        found(*leased, last=last, kept=kept, own=own)
    assert caught.value.field == "--network"
    assert "larger range" in caught.value.hint
