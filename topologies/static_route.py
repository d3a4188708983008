# SPDX-License-Identifier: GPL-2.0-or-later
"""A static route of a libvirt network. Source: libvirt, "Network XML format", "Static Routes"."""

from pydantic import Field

from topologies.field_types import Address, Subnet
from topologies.part import Part


class StaticRoute(Part):
    """A route of the host's by way of a guest: `<route address=… gateway=…/>`."""

    to: Subnet = Field(description="The addresses beyond the gateway.")
    gateway: Address = Field(description="An address of the network: the guest that routes.")
    metric: int | None = Field(
        default=None, ge=1, le=2**32 - 1, description="Its metric; null: libvirt's, 1."
    )
