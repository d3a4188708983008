# SPDX-License-Identifier: GPL-2.0-or-later
"""The facts of a host as values that other hosts may have too, and the versions among them."""

import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from reports.record import RunRecord
from reports.wording import one_line

TOPOLOGIES = "topologies"
_PLUMBLINE = "plumbline"
# Key of the page and of the metrics, and where the fact is.
VERSIONS = {
    "release": "distribution",
    "kernel": "kernel",
    "libvirt": "versions.libvirt",
    "qemu": "versions.qemu",
    "openvswitch": "versions.openvswitch",
    "nftables": "versions.nftables",
    "iptables": "versions.iptables",
    _PLUMBLINE: _PLUMBLINE,
}
# "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)", "iptables v1.8.9 (nf_tables)",
# "6.1.0-28-amd64 #1 SMP x86_64", "ovs-vswitchd (Open vSwitch) 3.1.0",
# "Debian GNU/Linux 12 (bookworm)"
_NUMBER = re.compile(r"\d+(?:\.\d+)+[-+~.\w]*(?: \((?:nf_tables|legacy)\))?|\b\d+ \([a-z]+\)$")
_COMMIT_DIGITS = 9


def facts_of(record: RunRecord, groups: Sequence[str]) -> dict[str, list[str]]:
    """Return the values of each fact of a host, by the fact's dotted path.

    A fact of the topologies has the values of all of them: a claim is about more than one.

    Args:
        record: its record.
        groups: those of the inventory that it is in.
    """
    found: dict[str, dict[str, None]] = {}
    for name, value in _flat(record):
        found.setdefault(name, {}).setdefault(value)
    if groups:
        found["group"] = dict.fromkeys(groups)
    return {name: sorted(values) for name, values in found.items()}


def versions_of(facts: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the versions of a host, in full; a program that it lacks has none."""
    return {key: facts[path][0] for key, path in VERSIONS.items() if facts.get(path)}


def short_version(text: str) -> str:
    """Return the number in the output of a program's `--version`, or the text where it has none."""
    found = _NUMBER.search(text)
    return found[0] if found else text


def shown_version(key: str, text: str) -> str:
    """Return a version as a row has it: short, but for Plumbline's own, which has its commit."""
    return text if key == _PLUMBLINE else short_version(text)


def tool_version(record: RunRecord) -> str:
    """Return the Plumbline that made a record: `0.1.0 ab32e8f00`, `0.1.0 ab32e8f00 changed`."""
    tool = record.tool
    words = [tool.version, (tool.commit or "")[:_COMMIT_DIGITS], "changed" if tool.dirty else ""]
    return " ".join(filter(None, words))


def _flat(record: RunRecord) -> Iterator[tuple[str, str]]:
    host = record.host
    yield _PLUMBLINE, tool_version(record)
    yield "kind", host.kind or "unknown"
    yield "release", host.release or "unknown"
    if host.accel is not None:
        yield "accelerator", host.accel.name
    for name, value in host.facts.items():
        if name == TOPOLOGIES and isinstance(value, dict):
            for below in value.values():
                yield from _below("", below)
        else:
            yield from _below(name, value)


def _below(path: str, value: JsonValue) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _below(f"{path}.{key}" if path else key, each)
    elif isinstance(value, list):
        for each in value:
            yield from _below(path, each)
    else:
        yield path, "none" if value is None else one_line(str(value))
