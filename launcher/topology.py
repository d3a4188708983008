# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline topology import`: networks that exist, as topology files."""

import os
from collections.abc import Sequence
from pathlib import Path

from launcher.arguments import Parser, one_of
from launcher.launcher_error import UsageError

EXAMPLES = (
    ("sudo ./plumbline topology import --from-host", "the networks of this machine"),
    ("sudo ./plumbline topology import --from-host --output site", "into the folder site"),
    ("./plumbline topology import net.xml", "from virsh net-dumpxml"),
    ("./plumbline topology import /etc/network/interfaces", "the bridges of ifupdown's file"),
)


def parser() -> Parser:
    """Return the parser of `topology`."""
    own = Parser("topology", "Write the networks of a host as topology files.", EXAMPLES)
    own.add_argument("action", type=one_of("import"), metavar="import")
    own.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="XML of libvirt's networks, /etc/network/interfaces, netplan's YAML",
    )
    own.add_argument(
        "--from-host",
        action="store_true",
        help="each active libvirt network and each bridge of this machine, as it is; read only",
    )
    own.add_argument(
        "--output",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="where the files go; default: the current folder",
    )
    return own


def main(argv: Sequence[str]) -> int:
    """Check the options, and hand over; returns only by an exception."""
    options = parser().parse(argv)
    if bool(options.files) == options.from_host:
        raise UsageError(
            "topology import takes --from-host, or files", "see ./plumbline topology --help"
        )
    if options.from_host and os.geteuid() != 0:
        raise UsageError(
            "topology import --from-host needs root: it asks libvirt and Open vSwitch",
            "sudo ./plumbline topology import --from-host",
        )
    # Imported here: --help needs none of it.
    from launcher import venv_exec

    order = {"files": [str(file) for file in options.files], "output": str(options.output)}
    venv_exec.exec_in_venv("fixtures.testbed.import_command", order)
