# SPDX-License-Identifier: GPL-2.0-or-later
"""A bridge's settings of the kernel, as the files of its host write them.

Source: bridge-utils-interfaces(5); netplan's YAML reference, "Properties for device type bridges:".
"""

from collections.abc import Callable, Mapping
from typing import Final

from topologies.bridge_files.declared import Place
from topologies.bridge_settings import PRIORITY_MAX

OF_STANZAS: Final[Mapping[str, str]] = {
    "bridge-ageing": "ageing_s",
    "bridge-bridgeprio": "priority",
    "bridge-hello": "hello_s",
    "bridge-maxage": "max_age_s",
}
"""Keyword of a stanza → key of the model's."""
OF_NETPLAN: Final[Mapping[str, str]] = {
    "ageing-time": "ageing_s",
    "aging-time": "ageing_s",
    "priority": "priority",
    "hello-time": "hello_s",
    "max-age": "max_age_s",
}
"""Key below `parameters` → key of the model's."""
PRIORITY: Final = "priority"
VLAN_AWARE: Final = "bridge-vlan-aware"
ON_OFF: Final = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}

Find = Callable[[str], tuple[str, Place] | None]
"""Gives a setting's value and place; None: it is not in the file."""


def settings_of(keys: Mapping[str, str], find: Find) -> dict[str, int] | None:
    """Return the settings in the form of a topology file; None: there is none.

    Raises:
        DataError: one is no number, or neither on nor off; with its line.
    """
    found: dict[str, int] = {}
    for key, name in keys.items():
        if (written := find(key)) is not None:
            found[name] = _number(*written)
            if name == PRIORITY and found[name] > PRIORITY_MAX:
                raise written[1].error(
                    f"{found[name]}; expected at most {PRIORITY_MAX}", "lower it, or leave it out"
                )
    if (written := find(VLAN_AWARE)) is not None:
        found["vlan_aware"] = _switched(*written)
    return found or None


def _number(value: str, place: Place) -> int:
    plain = value.removesuffix("s").removesuffix(".0")
    if not plain.isdecimal():
        raise place.error(f'"{value}"; expected a whole number', "correct it, or leave it out")
    return int(plain)


def _switched(value: str, place: Place) -> bool:
    if (found := ON_OFF.get(value.lower())) is None:
        raise place.error(f'"{value}"; expected yes or no', "write yes, or leave it out")
    return found
