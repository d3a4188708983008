# SPDX-License-Identifier: GPL-2.0-or-later
"""Names and MACs of a placed topology: recognisable as a run's, and free on the host."""

from collections.abc import Collection, Set
from itertools import count

from topologies.field_types import INTERFACE_NAME_MAX

GUEST_NAME_MAX = 32
NETWORK_NAME_MAX = 50


def free_prefix(stem: str, names: Collection[str]) -> str:
    """Return `STEM1-`, with the lowest number that no name on the host begins with."""
    number = next(n for n in count(1) if not any(name.startswith(f"{stem}{n}-") for name in names))
    return f"{stem}{number}-"


class FreeNames:
    """Gives each documented name another one: behind a prefix, short enough, and used once.

    Args:
        prefix: of all names.
        taken: names that the host has.
    """

    def __init__(self, prefix: str, taken: Set[str]) -> None:
        self._prefix = prefix
        self._used = set(taken)
        self._given: dict[tuple[str, int], str] = {}

    def link(self, name: str) -> str:
        """Return the name for an interface; the same each time."""
        return self._name(name, INTERFACE_NAME_MAX)

    def guest(self, name: str) -> str:
        """Return the name for a guest; the same each time."""
        return self._name(name, GUEST_NAME_MAX)

    def network(self, name: str) -> str:
        """Return the name for a network; the same each time."""
        return self._name(name, NETWORK_NAME_MAX)

    def _name(self, name: str, length: int) -> str:
        if (name, length) not in self._given:
            room = length - len(self._prefix)
            # Shortened from the middle: what tells names apart is usually at their end.
            for suffix in ("", *map(str, range(10 ** min(room, 3)))):
                base = name[: room - len(suffix)].rstrip("-")
                made = f"{self._prefix}{base}{suffix}"
                if made not in self._used:
                    break
            self._used.add(made)
            self._given[name, length] = made
        return self._given[name, length]


class FreeMacs:
    """Gives MACs: the documented ones where the host has no such MAC, else the next free ones.

    Args:
        taken: MACs that the host has.
        documented: MACs of the topology and of its reservations, which no other interface gets.
    """

    def __init__(self, taken: Set[str], documented: Collection[str]) -> None:
        self._taken = set(taken)
        self._avoided = {*taken, *documented}

    def mac(self, documented: str) -> str:
        """Return the MAC in place of a documented one."""
        if not {documented, _of_tap(documented)} & self._taken:
            return documented
        for number in count(int(documented.replace(":", ""), 16) + 1):
            digits = f"{number:012x}"
            made = ":".join(digits[at : at + 2] for at in range(0, 12, 2))
            if not {made, _of_tap(made)} & self._avoided:
                self._avoided.add(made)
                return made
        raise AssertionError("count has no end")


def _of_tap(mac: str) -> str:
    """Return the MAC of the TAP of a guest with a MAC (GN-02)."""
    return f"fe{mac[2:]}"
