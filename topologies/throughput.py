# SPDX-License-Identifier: GPL-2.0-or-later
"""Floors under measured rates, as a topology file has them."""

from typing import Annotated

from pydantic import Field

from topologies.part import Part

MbitPerSecond = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Throughput(Part):
    """Floors under which a measured rate violates GN-07 or, where the file has one, GN-08.

    The defaults are far below the rate of two cores without hardware virtualisation: they catch a
    broken path, not a slow machine. Raise them for hardware that you know.
    """

    guest_host_tcp_mbit_s: MbitPerSecond = Field(
        default=50, description="TCP between guest and host, each direction, in Mbit/s."
    )
    guest_host_udp_mbit_s: MbitPerSecond = Field(
        default=5, description="UDP received between guest and host, in Mbit/s."
    )
    udp_offered_mbit_s: MbitPerSecond = Field(
        default=20, description="The rate at which UDP is sent, in Mbit/s."
    )
    udp_loss_max_percent: float = Field(
        default=5, ge=0, le=100, description="The highest accepted UDP loss, in percent."
    )
    guest_guest_tcp_mbit_s: MbitPerSecond | None = Field(
        default=None, description="TCP between two guests, in Mbit/s; null: no floor."
    )
