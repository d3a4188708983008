# SPDX-License-Identifier: GPL-2.0-or-later
"""Why a network is of no type: which of its keys does not go with the others."""

from collections.abc import Iterable, Iterator

from topologies.data_error import near_miss
from topologies.network_types import NETWORK_TYPES
from topologies.network_types.network_type import Breach
from topologies.schema import Network


def misfit(network: Network) -> Iterator[Breach]:
    """Say which key keeps a network from being of a type: forward, its maker or its switch."""
    types = list(NETWORK_TYPES.values())
    alike = [each for each in types if each.forward == network.forward]
    own = [each for each in types if each.made_by == network.made_by]
    if not alike:
        known = list(dict.fromkeys(each.forward for each in types))
        yield Breach(
            "forward",
            f'found "{network.forward}"; expected one of {", ".join(known)}',
            near_miss(network.forward, known) or "see docs/topologies.md",
        )
    elif not (both := [each for each in alike if each in own]):
        fitting = [each.forward for each in own if network.switch in each.switches]
        fitting = fitting or [each.forward for each in own]
        yield Breach(
            "forward",
            f"{alike[0].elsewhere}; expected {_or(fitting)} with made_by: {network.made_by}",
            f"write made_by: {alike[0].made_by}, and see libvirt_name for a libvirt network over a "
            "bridge of the host's",
        )
    else:
        fitting = [switch for each in both for switch in each.switches]
        yield Breach(
            "switch",
            f"{network.switch}: {both[0].other_switch}; expected {_or(fitting)}",
            f"write switch: {_or(fitting)}, or change made_by and forward",
        )


def _or(words: Iterable[str]) -> str:
    *most, last = dict.fromkeys(words)
    return f"{', '.join(most)} or {last}" if most else last
