# SPDX-License-Identifier: GPL-2.0-or-later
"""The paths between the guests and the host on which throughput is measured, and their ports."""

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from contracts.address_family import AddressFamily
from fixtures.errors import NotTestable
from fixtures.probe.input_exception import Port
from fixtures.probe.throughput import PORT, Far
from fixtures.testbed.ports_let_in import ports_let_in
from fixtures.testbed.testbed import Testbed
from suites.throughput_ways import Path, measured_families


@dataclass(frozen=True)
class ServedPaths:
    """The paths between the guests and the host, whose ports for iperf3 are let in.

    Attributes:
        by_family: of each family, a path for each guest.
        let_in: the rules that refused the ports.
        left: the other families, each with the reason.
    """

    by_family: Mapping[AddressFamily, list[Path]]
    let_in: list[str]
    left: Mapping[AddressFamily, str]

    @property
    def paths(self) -> list[Path]:
        """All paths; those of the first family come first."""
        return [path for of_one in self.by_family.values() for path in of_one]


@contextlib.contextmanager
def paths_to_host(testbed: Testbed) -> Iterator[ServedPaths]:
    """Let the ports in, each path its own, for a `with` block.

    Raises:
        ExistingNetwork: they are refused by the first family, and its rules stay as they are.
    """
    ports, measured = itertools.count(PORT), measured_families(testbed)
    by_family: dict[AddressFamily, list[Path]] = {}
    let_in: list[str] = []
    left = dict(measured.left)
    with contextlib.ExitStack() as stack:
        for family, by in measured.words.items():
            try:
                address = testbed.host_address_of(family)
                paths = [
                    Path(guest, Far(testbed.host, address, next(ports)), by)
                    for guest in testbed.guests
                ]
                let_in += stack.enter_context(ports_let_in(testbed, family, ports_of(paths)))
            except NotTestable as error:
                if not by:
                    raise
                left[family] = str(error)
            else:
                by_family[family] = paths
        yield ServedPaths(by_family, let_in, left)


def ports_of(paths: list[Path]) -> list[Port]:
    """Return the host's ports of some paths, with their protocols."""
    return [(protocol, path.far.port) for path in paths for protocol in ("tcp", "udp")]
