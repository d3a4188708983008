# SPDX-License-Identifier: GPL-2.0-or-later
"""What was read of an existing network: each setting, and whether Plumbline looks at it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Treatment = Literal["used", "checked", "not looked at"]
"""used: it is in the topology. checked: a check looks at the live one. not looked at: neither."""


@dataclass(frozen=True)
class Setting:
    """One element, attribute or key of a network's own configuration.

    Attributes:
        source: whose: "network default" for libvirt's XML, "bridge br0", "Open vSwitch br1".
        element: the element with those around it, as in `network/ip/dhcp/range`; a key's name.
        attribute: its attribute; None: the element itself, or its text.
        line: in libvirt's XML, counted from 1; None: not of XML.
        value: as written.
        treatment: what becomes of it here.
        undecides: claims that it takes the ground from: the network is asked to do otherwise.
    """

    source: str
    element: str
    attribute: str | None
    line: int | None
    value: str
    treatment: Treatment
    undecides: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Its place, as in `line 7: network/dns@enable`."""
        line = "" if self.line is None else f"line {self.line}: "
        attribute = "" if self.attribute is None else f"@{self.attribute}"
        return f"{line}{self.element}{attribute}"

    def __str__(self) -> str:
        value = f" = {self.value}" if self.value else ""
        return f"{self.source}, {self.place}{value}"

    def as_record(self) -> Mapping[str, Any]:
        """Return it as the run record has it."""
        return {
            "source": self.source,
            "element": self.element,
            "attribute": self.attribute,
            "line": self.line,
            "value": self.value,
        }


@dataclass(frozen=True)
class Reading:
    """All that was read of one network.

    Attributes:
        option: the option of `run` that names it on its host: `--network` or `--bridge`.
        name: its name there.
        settings: in the order in which they were read.
    """

    option: str
    name: str
    settings: tuple[Setting, ...]

    @property
    def not_looked_at(self) -> tuple[Setting, ...]:
        """What the network is asked for and no check looks at."""
        return tuple(each for each in self.settings if each.treatment == "not looked at")

    def obstacle(self, claims: Iterable[str]) -> Setting | None:
        """Return a setting by which the network is to do otherwise than these claims say."""
        about = set(claims)
        return next((each for each in self.settings if about & set(each.undecides)), None)
