# SPDX-License-Identifier: GPL-2.0-or-later
"""The path by which the operator reaches a host, where an uplink carries it."""

from dataclasses import dataclass

# Without an answer for so long everything is taken back.
DEADLINE_S = 15.0


@dataclass(frozen=True, slots=True)
class ManagementPath:
    """A path that a NIC carries.

    Attributes:
        link: the NIC.
        target: the far end: an IP address, with a TCP port behind it or without.
        origin: where the far end is known from, for messages.
        source: the host's address on it.
        obstacle: why the NIC cannot become a port of a bridge; "": it can.
    """

    link: str
    target: str
    origin: str
    source: str
    obstacle: str = ""

    def is_over(self, link: str | None) -> bool:
        """Whether a link carries it."""
        return self.link == link

    def __str__(self) -> str:
        return f"the management path to {self.target} ({self.origin})"
