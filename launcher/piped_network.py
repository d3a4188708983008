# SPDX-License-Identifier: GPL-2.0-or-later
"""A network's XML on standard input: kept as a file, which workers and reruns read again."""

import hashlib
import sys
from pathlib import Path

from launcher import cache
from topologies.cli_names import SIZE_MAX_BYTES
from topologies.data_error import DataError
from topologies.network_import.xml_reader import PRINTED, read_xml

SOURCE = Path("standard input")
FOLDER = "networks"
DIGEST_MAX = 12


def kept() -> Path:
    """Read standard input, and return the file with its content.

    It is called by its content, so that a rerun finds it, and never another network.

    Raises:
        DataError: it is a terminal, or not libvirt's XML of a network.
    """
    if sys.stdin.isatty():
        raise DataError(
            "this is a terminal; expected libvirt's XML of a network from a pipe",
            file=SOURCE,
            hint="virsh net-dumpxml NAME | ./plumbline run --topology -",
        )
    raw = sys.stdin.buffer.read(SIZE_MAX_BYTES + 1)
    if len(raw) > SIZE_MAX_BYTES:
        raise DataError(
            f"more than {SIZE_MAX_BYTES} bytes; expected a network", file=SOURCE, hint=PRINTED
        )
    read_xml(raw, SOURCE)
    digest = hashlib.sha256(raw).hexdigest()[:DIGEST_MAX]
    file = cache.make_cache_dir() / FOLDER / f"{digest}.xml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(raw)
    return file
