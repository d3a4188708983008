# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with a network on virbr1 and an uplink eth0, for tests of what rules mean."""

from pathlib import Path

from contracts.address_family import IPV4
from fixtures.packet_filter.iptables_reader import parse_iptables
from fixtures.packet_filter.nft_reader import parse_nft
from fixtures.packet_filter.questions import Surroundings
from fixtures.packet_filter.ruleset import Ruleset
from fixtures.packet_filter.spans import Spans

SHOWN = Path(__file__).parent / "packet_filters"
SUBNET = IPV4.network("10.10.10.0/24")
LOCAL = Spans.networks(
    IPV4.network(each) for each in ("10.10.10.1/32", "192.168.1.2/32", "127.0.0.0/8")
)
AROUND = Surroundings("virbr1", SUBNET, "eth0", LOCAL, elsewhere=Spans(()))


def iptables(saved: str) -> Ruleset:
    """Return the rules of iptables-save."""
    return Ruleset(IPV4, tuple(parse_iptables(saved, IPV4, LOCAL)))


def nft(shown: str) -> Ruleset:
    """Return the rules of `nft -j list ruleset`."""
    return Ruleset(IPV4, tuple(parse_nft(shown, IPV4, LOCAL)))
