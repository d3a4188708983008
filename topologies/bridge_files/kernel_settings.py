# SPDX-License-Identifier: GPL-2.0-or-later
"""A bridge's settings of the kernel, as the files of its host write them.

Source: bridge-utils-interfaces(5); netplan's YAML reference, "Properties for device type bridges:".
"""

from collections.abc import Callable, Mapping
from typing import Final

from pydantic import ValidationError

from topologies.bridge_files.declared import Place
from topologies.bridge_settings import BridgeSettings

OF_STANZAS: Final[Mapping[str, str]] = {
    "bridge-ageing": "ageing_s",
    "bridge-bridgeprio": "priority",
    "bridge-hello": "hello_s",
    "bridge-maxage": "max_age_s",
    # The scripts of bridge-utils know the first of each, ifupdown2 the second.
    "bridge-pathcost": "uplink_cost",
    "bridge-pathcosts": "uplink_cost",
    "bridge-portprio": "uplink_priority",
    "bridge-portprios": "uplink_priority",
}
"""Keyword of a stanza → key of the model's."""
OF_NETPLAN: Final[Mapping[str, str]] = {
    "ageing-time": "ageing_s",
    "aging-time": "ageing_s",
    "priority": "priority",
    "hello-time": "hello_s",
    "max-age": "max_age_s",
    "path-cost": "uplink_cost",
    "port-priority": "uplink_priority",
}
"""Key below `parameters` → key of the model's."""
OF_A_PORT: Final = ("uplink_cost", "uplink_priority")
VLAN_AWARE: Final = "bridge-vlan-aware"
ON_OFF: Final = {
    **dict.fromkeys(("yes", "on", "true", "1"), True),
    **dict.fromkeys(("no", "off", "false", "0"), False),
}
OF_SCRIPT: Final = ("yes", "no")
"""What the script of bridge-utils takes for on, and for off: `on` is ifupdown2's."""

Find = Callable[[str], tuple[str, Place] | None]
"""Gives a setting's value and place; None: it is not in the file."""


def settings_of(
    keys: Mapping[str, str], find: Find, port: str | None, *, by_ifup: bool = False
) -> dict[str, int] | None:
    """Return the settings in the form of a topology file; None: there is none.

    Those with a value that the model cannot have are left out, and not looked at.

    Args:
        keys: the file's keys.
        find: gives what the file has of one.
        port: the port that is the uplink; None: there is none.
        by_ifup: ifup makes the bridge.
    """
    found: dict[str, int] = {}
    for key, name in {**keys, VLAN_AWARE: "vlan_aware"}.items():
        if (written := find(key)) is None:
            continue
        value = value_of(name, written[0], port, by_ifup=by_ifup)
        if value is not None:
            found[name] = value
    return found or None


def value_of(name: str, written: str, port: str | None, *, by_ifup: bool = False) -> int | None:
    """Return the value of a setting; None: the model cannot have it.

    Args:
        name: its name in a topology file.
        written: its value in the host's file; of a port's settings `eth0 4`, or `eth0=4 eth1=5`.
        port: the port that is the uplink.
        by_ifup: ifup makes the bridge.
    """
    if name == "vlan_aware":
        word = written.lower()
        return ON_OFF.get(word) if not by_ifup or word in OF_SCRIPT else None
    if name in OF_A_PORT:
        written = _of_port(written, port, by_ifup=by_ifup)
    plain = written.removesuffix("s").removesuffix(".0")
    if not plain.isdecimal():
        return None
    try:
        BridgeSettings.model_validate({name: int(plain)})
    except ValidationError:
        return None
    return int(plain)


def _of_port(written: str, port: str | None, *, by_ifup: bool) -> str:
    """Return what a setting of ports is for one of them; "": nothing that is given to it."""
    words = written.split()
    if by_ifup:
        return words[1] if words[:1] == [port] and words[2:] == [] and words[1:] else ""
    pairs = (each.partition("=") for each in words)
    return next((figure for name, _, figure in pairs if name == port), "")
