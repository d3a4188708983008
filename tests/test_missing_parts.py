# SPDX-License-Identifier: GPL-2.0-or-later
"""What the host has lost of a topology, and whose fault a check's exception is then."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import libvirt
import pytest

from contracts.plan import PlannedCheck
from fixtures.errors import HostAtFault, Inconclusive
from fixtures.plugin import verdict_reporting
from fixtures.probe.evidence import Evidence
from fixtures.testbed.missing_parts import missing_parts
from fixtures.testbed.testbed import Testbed
from topologies.catalogue import claims
from topologies.library import load
from topologies.network_types import NETWORK_TYPES

UUID = "6f3c0a52-0b7e-4c0a-9a35-0d4b52d3c1aa"
REFUSED = "dnsmasq: failed to create listening socket for 10.10.10.1: Address already in use"


def refusal(words: str) -> libvirt.libvirtError:
    """Return libvirt's exception; its words would be those of the thread's last error."""
    libvirt.virResetLastError()
    return libvirt.libvirtError(words)


@dataclass
class Network:
    """Stands for libvirt's network."""

    active: int = 1
    words: str = ""
    asked: list[str] = field(default_factory=list)

    def found(self) -> "Network":
        """Return it, as libvirt does when it is asked for its UUID."""
        return self

    def isActive(self) -> int:  # noqa: N802 - libvirt's name
        """As libvirt's."""
        return self.active

    def create(self) -> None:
        """As libvirt's."""
        self.asked.append("create")
        if self.words:
            raise refusal(self.words)

    def destroy(self) -> None:
        """As libvirt's."""
        self.asked.append("destroy")


class Gone(Network):
    """Stands for a network that was undefined."""

    def found(self) -> Network:
        """Report it as libvirt does."""
        error = refusal("Network not found")
        error.err = (libvirt.VIR_ERR_NO_NETWORK, *[None] * 8)
        raise error


def made(
    folder: Path,
    network: Network,
    links: tuple[str, ...] = ("virbr1", "vnet0", "vnet1"),
    runs: bool = True,
) -> Testbed:
    """Return the nat topology with these links on its host."""
    topology = load("nat")
    daemon = SimpleNamespace(networkLookupByUUIDString=lambda uuid: {UUID: network}[uuid].found())
    host = cast(Any, SimpleNamespace(has_link=links.__contains__, name="host", libvirt=daemon))
    domain = SimpleNamespace(isActive=lambda: int(runs))
    guests: Any = [
        SimpleNamespace(name=guest.name, tap=f"vnet{number}", domain=domain)
        for number, guest in enumerate(topology.guests)
    ]
    networks = {topology.network.name: UUID}
    kept = Evidence(folder, "topology")
    return Testbed(topology, host, cast(Any, None), guests, [], {}, networks, None, "tool", kept)


def test_nothing_is_missing(tmp_path: Path) -> None:
    network = Network()
    assert missing_parts(made(tmp_path, network)) == []
    assert network.asked == []


def test_an_inactive_network_is_told_with_libvirts_own_words(tmp_path: Path) -> None:
    network = Network(active=0, words=REFUSED)
    said = missing_parts(made(tmp_path, network, ("vnet0", "vnet1")))
    name = load("nat").network.name
    assert said == [
        f"libvirt's network {name} is not active, and libvirt does not start it: {REFUSED}",
        "bridge virbr1 is not there",
    ]


def test_a_network_that_starts_when_it_is_asked_to_is_taken_down_again(tmp_path: Path) -> None:
    network = Network(active=0)
    [said] = missing_parts(made(tmp_path, network))
    assert said.endswith("is not active; libvirt starts it when it is asked to")
    assert network.asked == ["create", "destroy"]


def test_a_network_that_libvirt_no_longer_knows(tmp_path: Path) -> None:
    [said] = missing_parts(made(tmp_path, Gone()))
    assert said.endswith("is gone: Network not found")


def test_a_tap_that_is_gone_and_guests_that_do_not_run(tmp_path: Path) -> None:
    [said] = missing_parts(made(tmp_path, Network(), ("virbr1", "vnet1")))
    assert said.startswith("TAP vnet0 of ")
    stopped = missing_parts(made(tmp_path, Network(), runs=False))
    assert all(each.endswith(" does not run") for each in stopped)


def test_a_bridge_without_libvirt(tmp_path: Path) -> None:
    testbed = made(tmp_path, Network(), ("vnet0", "vnet1"))
    assert missing_parts(testbed) == ["bridge virbr1 is not there"]


# Whose fault it is


def laid(testbed: object, error: Exception, folder: Path) -> Exception:
    """Return what a check's exception becomes."""
    item = cast(pytest.Item, SimpleNamespace(funcargs={"testbed": testbed}))
    return verdict_reporting._laid_at_the_host(item, error, Evidence(folder, "check"))


def planned(*ids: str) -> PlannedCheck:
    """Return a check that decides these claims."""
    return PlannedCheck("x.y[nat]", "suites/test_x.py::test_y[nat]", ids, "nat", "./plumbline run")


def test_an_exception_beside_a_lost_part_is_the_hosts_fault(tmp_path: Path) -> None:
    error = LookupError("no link virbr1 on host")
    found = laid(made(tmp_path, Network(), ("vnet0", "vnet1")), error, tmp_path)
    assert isinstance(found, HostAtFault)
    assert found.message == "the host is not as it was built: bridge virbr1 is not there"
    assert found.__cause__ is error


def test_an_exception_where_all_is_there_is_the_harnesss(tmp_path: Path) -> None:
    error = LookupError("no link to-st1 on host")
    assert laid(made(tmp_path, Network()), error, tmp_path) is error
    assert laid(None, error, tmp_path) is error


def test_what_a_check_says_itself_stays(tmp_path: Path) -> None:
    broken = made(tmp_path, Network(), ())
    for error in (AssertionError("violated"), Inconclusive("control failed")):
        assert laid(broken, error, tmp_path) is error


def test_a_look_that_fails_leaves_the_exception(tmp_path: Path) -> None:
    testbed, error = made(tmp_path, cast(Any, object())), LookupError("no link")
    assert laid(testbed, error, tmp_path) is error
    assert any(tmp_path.rglob(verdict_reporting.DIAGNOSIS))


def test_only_the_foundation_is_violated(tmp_path: Path) -> None:
    error, kept = HostAtFault("libvirt did not start network n: no"), Evidence(tmp_path, "check")
    verdicts = {
        id_: verdict_reporting._verdict(error, kept, planned(id_)) for id_ in ("NT-01", "NT-09")
    }
    assert verdicts == {
        "NT-01": ("violates", error.message),
        "NT-09": ("inconclusive", error.message),
    }


def test_each_network_type_has_one_foundation() -> None:
    for name in NETWORK_TYPES:
        found = [each.id for each in claims().values() if each.foundation and name in each.types]
        assert len(found) == 1, f"{name}: {found}"
