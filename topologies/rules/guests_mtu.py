# SPDX-License-Identifier: GPL-2.0-or-later
"""The MTU of guests' NICs: that of what they are on, for a bridge tells nobody of a smaller one.

Source: libvirt, "Domain XML format", "MTU configuration"; Linux kernel, net/bridge, a frame that is
larger than a port's MTU is dropped.
"""

from collections.abc import Iterator
from typing import Final

from topologies.field_types import IPV6_MTU_MIN
from topologies.network_types import find_type
from topologies.rules.draft import Draft, Problem
from topologies.switch_types import SWITCH_TYPES

KEY: Final = "guests_mtu"


def of_the_link(draft: Draft) -> Iterator[Problem]:
    """It is the MTU of the uplink, or of libvirt's bridge; a bridge of the host's alone follows."""
    for index, network in draft.planned.items():
        if network.guests_mtu is None:
            continue
        place = ("networks", index, KEY)
        if not SWITCH_TYPES[network.switch].is_kernels:
            yield Problem(
                place,
                "the switch is no bridge of the kernel's; expected null",
                "write switch: linux, or leave it out",
            )
        type_ = find_type(network)
        given = None if type_ is None else type_.link_mtu(network, draft.physical)
        if given is not None and network.guests_mtu != given.octets:
            yield Problem(
                place,
                f"{network.guests_mtu} on a link of {given.octets} octets ({given.key}), where a "
                "bridge drops what is larger without a word; expected the same",
                f"write {given.octets} in both places",
            )
        if network.address6 is not None and network.guests_mtu < IPV6_MTU_MIN:
            yield Problem(
                place,
                f"{network.guests_mtu} with an address6; expected {IPV6_MTU_MIN} or more",
                "write a larger one, or leave address6 out",
            )


def of_nics_that_are_told(draft: Draft) -> Iterator[Problem]:
    """QEMU tells a guest of its NIC's MTU by virtio alone."""
    with_mtu = {each.name for each in draft.planned.values() if each.guests_mtu is not None}
    for index, guest in draft.guests.items():
        if guest.network in with_mtu and guest.model != "virtio":
            yield Problem(
                ("guests", index, "model"),
                f"{guest.model} on a network with {KEY}, which virtio alone takes; expected virtio",
                f"write model: virtio, or leave {KEY} out",
            )


RULES: Final = (of_the_link, of_nics_that_are_told)
