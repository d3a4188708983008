# SPDX-License-Identifier: GPL-2.0-or-later
"""A network on standard input, as XML or a bridge host's file: kept for workers and reruns."""

import hashlib
import sys
from pathlib import Path

from launcher import cache
from topologies import host_files
from topologies.cli_names import SIZE_MAX_BYTES, XML
from topologies.data_error import DataError
from topologies.network_import.xml_reader import PRINTED, read_xml

SOURCE = Path("standard input")
FOLDER = "networks"
DIGEST_MAX = 12
NETPLAN = ".yaml"


def _suffix(raw: bytes) -> str:
    """Return the suffix of a file with that content."""
    text = raw.decode("utf-8", "replace")
    if host_files.is_interfaces(text):
        return host_files.PIPED
    return NETPLAN if host_files.is_netplan(text) else XML


def kept() -> Path:
    """Read standard input, and return the file with its content.

    It is called by its content, so that a rerun finds it, and never another network.

    Raises:
        DataError: it is a terminal, or neither libvirt's XML of a network nor a bridge host's file.
    """
    if sys.stdin.isatty():
        raise DataError(
            "this is a terminal; expected from a pipe libvirt's XML of a network, or a bridge "
            "host's file",
            file=SOURCE,
            hint="virsh net-dumpxml NAME | ./plumbline run --topology -",
        )
    raw = sys.stdin.buffer.read(SIZE_MAX_BYTES + 1)
    if len(raw) > SIZE_MAX_BYTES:
        raise DataError(
            f"more than {SIZE_MAX_BYTES} bytes; expected a network", file=SOURCE, hint=PRINTED
        )
    suffix = _suffix(raw)
    if suffix == XML:
        read_xml(raw, SOURCE)
    digest = hashlib.sha256(raw).hexdigest()[:DIGEST_MAX]
    file = cache.make_cache_dir() / FOLDER / f"{digest}{suffix}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(raw)
    return file
