# SPDX-License-Identifier: GPL-2.0-or-later
"""The steps that make a network on a host, as data; `fixtures/testbed` carries them out."""

from dataclasses import dataclass
from pathlib import Path

from topologies.given_stanza import GivenStanza
from topologies.schema import Network


@dataclass(frozen=True)
class VirtualFunctions:
    """Enable virtual functions of an SR-IOV NIC.

    Attributes:
        pf: the physical function's interface name.
        count: how many.
    """

    pf: str
    count: int


@dataclass(frozen=True)
class HostBridge:
    """Make a bridge by the host's own tools, with the network's uplink as a port and its address.

    Attributes:
        network: its data.
    """

    network: Network


@dataclass(frozen=True)
class StanzaBridge:
    """Bring a bridge up by ifup, from its user's own stanza.

    Attributes:
        network: its data.
        stanza: the user's lines.
    """

    network: Network
    stanza: GivenStanza


@dataclass(frozen=True)
class LibvirtNetwork:
    """Define a libvirt network, start it and have it start with libvirtd.

    Attributes:
        xml: its definition.
        file: the user's own file that this is; None: it is made of a topology's keys.
    """

    xml: str
    file: Path | None = None


@dataclass(frozen=True)
class BootFolder:
    """Make the folder of a TFTP server's files, with a file to boot; what is there stays.

    Attributes:
        root: the folder.
        file: the file's name in it; None: none is made.
    """

    root: str
    file: str | None


BuildStep = BootFolder | VirtualFunctions | HostBridge | StanzaBridge | LibvirtNetwork
