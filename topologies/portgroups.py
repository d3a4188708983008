# SPDX-License-Identifier: GPL-2.0-or-later
"""VLANs of a libvirt network over an Open vSwitch bridge, and its portgroups: classes of NICs.

Source: libvirt, "Network XML format", `<portgroup>` and `<vlan>`; ovs-vswitchd.conf.db(5), Port,
`vlan_mode`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, model_validator

from topologies.field_types import Sentence
from topologies.part import Part
from topologies.uplink_links import TAG_MAX, TAG_MIN

VLANS = ("portgroups", "vlan")
"""The keys of a network that give ports of its bridge VLANs."""
Tag = Annotated[int, Field(ge=TAG_MIN, le=TAG_MAX)]


class PortVlan(Part):
    """The VLANs of a port, as libvirt's `<vlan>` asks Open vSwitch for them."""

    tags: Annotated[tuple[Tag, ...], Field(strict=False)] = Field(
        min_length=1, description="The VLANs' numbers."
    )
    trunk: bool = Field(
        default=False,
        description="true: its frames carry their tags. false: it is in the one VLAN, untagged.",
    )
    native: Tag | None = Field(
        default=None, description="Of a trunk: the VLAN of frames without a tag; null: none."
    )
    native_tagged: bool = Field(
        default=False, description="Frames of the native VLAN reach the port with their tag."
    )

    @model_validator(mode="after")
    def _is_one_of_libvirts(self) -> Self:
        if len(set(self.tags)) != len(self.tags):
            raise ValueError(f"{self.tags} has a tag twice; expected each once")
        if not self.trunk and (len(self.tags) > 1 or self.native is not None):
            raise ValueError("several tags, or a native one, without trunk; expected trunk: true")
        if self.native is not None and self.native not in self.tags:
            raise ValueError(f"native {self.native} is none of the tags {self.tags}")
        if self.native_tagged and self.native is None:
            raise ValueError("native_tagged without native; expected both or none")
        return self

    def vlan_of(self, tag: int | None) -> int | None:
        """Return the VLAN of a frame that its NIC sends; None: the switch takes no such frame.

        Args:
            tag: the frame's own; None: it has none.
        """
        if tag is None:
            return self.native if self.trunk else self.tags[0]
        return tag if self.trunk and tag in self.tags else None

    def arrives_as(self, vlan: int) -> int | None:
        """Return the tag with which a frame of one of its VLANs reaches the NIC; None: without."""
        untagged = not self.trunk or (vlan == self.native and not self.native_tagged)
        return None if untagged else vlan


class Portgroup(Part):
    """One `<portgroup>`: what the NICs get whose `<source>` names it."""

    name: Sentence = Field(description="Its name.")
    default: bool = Field(
        default=False, description="It is that of NICs of the libvirt network that name none."
    )
    vlan: PortVlan | None = Field(
        default=None, description="The VLANs of its NICs' ports; null: those of the network."
    )


@dataclass(frozen=True)
class NicClass:
    """The NICs of a libvirt network that get one `<vlan>`.

    Attributes:
        portgroup: the group that their `<source>` names; None: they name none.
        default: NICs that name none are of it, too.
        vlan: the VLANs of their ports.
    """

    portgroup: str | None
    default: bool
    vlan: PortVlan

    def __str__(self) -> str:
        return self.portgroup or "no portgroup"


def nic_classes(groups: Sequence[Portgroup], own: PortVlan | None) -> tuple[NicClass, ...]:
    """Return the classes of NICs that have VLANs: a group's own go before those of the network.

    Args:
        groups: the portgroups of the network.
        own: the VLANs of the network itself; None: it has none.
    """
    return tuple(_classes(groups, own))


def default_class(groups: Sequence[Portgroup], own: PortVlan | None) -> NicClass | None:
    """Return the class of NICs that name no portgroup; None: they are in no VLAN of libvirt's."""
    return next((each for each in _classes(groups, own) if each.default), None)


def _classes(groups: Sequence[Portgroup], own: PortVlan | None) -> Iterator[NicClass]:
    for group in groups:
        vlan = group.vlan or own
        if vlan is not None:
            yield NicClass(group.name, group.default, vlan)
    if own is not None and not any(group.default for group in groups):
        yield NicClass(None, True, own)
