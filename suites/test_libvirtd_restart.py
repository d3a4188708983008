# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirtd's start: what it finds of its networks, and what it makes of them."""

import contextlib
import functools
from collections.abc import Iterator

import libvirt
import pytest

from fixtures.errors import Inconclusive
from fixtures.host.daemons import AUTOSTARTED, libvirtd_stopped
from fixtures.host.host import Host
from fixtures.host.links import has_link
from fixtures.host.undo.libvirt_undos import NetworkRemove
from fixtures.probe.evidence import Evidence
from fixtures.probe.reach import ping
from fixtures.switch import libvirt_network
from fixtures.testbed.testbed import Testbed
from fixtures.testbed.vantage import nearest
from fixtures.waiting import poll

AUTO, MANUAL, FILED = "plumb-auto", "plumb-manual", "plumb-filed"
# A network without an address has no dnsmasq and no rules: it is up at once.
XML = "<network><name>{0}</name><bridge name='{0}' stp='off'/></network>"
# libvirtd answers before it has started its networks.
AUTOSTART_DEADLINE_S = 20.0
GUEST_DEADLINE_S = 30.0


@pytest.mark.lengthy
@pytest.mark.last
@pytest.mark.claims("NT-17", "NT-01", "PT-03")
@pytest.mark.changes_host("restarts libvirtd, and starts its networks with autostart")
@pytest.mark.changes_network("restarts libvirtd, which writes the network's rules anew")
def test_networks_after_a_restart(testbed: Testbed, evidence: Evidence) -> None:
    """After libvirtd's restart autostarted networks are active, others not; a new file is known.

    libvirt starts networks once after the host's start: it leaves a file in /run for that. As
    after a start of the host, that file is gone.

    Preconditions:
        - no others use the host's libvirtd
        - the host has no network and no bridge `plumb-auto`, `plumb-manual` or `plumb-filed`
    Steps:
        1. Define the networks `plumb-auto`, with autostart, and `plumb-manual`, without.
        2. Stop libvirtd, and delete its file in /run.
        3. Put the XML file of `plumb-filed` into libvirtd's folder of networks, and start libvirtd.
        4. List the networks, and the running domains.
        5. Start `plumb-filed`.
        6. Ping from each guest.
    Verify:
        - the network under test is active, persistent and set to autostart
        - `plumb-auto` is active, with its bridge; `plumb-manual` is known and inactive
        - `plumb-filed` is known, persistent and inactive; started, it has its bridge
        - each guest runs on, and its ping is answered
        - control: before, no bridge of the three was there, and no network `plumb-filed`; else the
          check is inconclusive
    """
    host, own = testbed.host, testbed.libvirt_network.name()
    with _defined(host, AUTO, autostart=True), _defined(host, MANUAL, autostart=False):
        before = _states(host)
        if FILED in before or (there := [name for name in (AUTO, MANUAL) if has_link(host, name)]):
            raise Inconclusive(f"before the restart: networks {before}, bridges {there}")
        with _file_removed(host):
            with libvirtd_stopped(host):
                host.seen(AUTOSTARTED).unlink(missing_ok=True)
                host.note(NetworkRemove(FILED))
                file = host.seen(libvirt_network.definition_file(FILED))
                file.write_text(XML.format(FILED))
            after = poll(
                lambda: _states(host),
                lambda states: states.get(AUTO, (0, 0, 0))[0] == 1,
                deadline_s=AUTOSTART_DEADLINE_S,
            )
            evidence.json("networks.json", {"before": before, "after": after})
            assert after.get(own) == (1, 1, 1), f"{own}: {_words(after.get(own))}"
            assert after.get(AUTO) == (1, 1, 1), (
                f"{AUTO}, with autostart: {_words(after.get(AUTO))}"
            )
            assert has_link(host, AUTO), f"{AUTO} is active, and its bridge is not there"
            assert after.get(MANUAL) == (0, 1, 0), (
                f"{MANUAL}, without autostart: {_words(after.get(MANUAL))}"
            )
            assert after.get(FILED) == (0, 1, 0), (
                f"{FILED}, of which the file was added: {_words(after.get(FILED))}"
            )
            host.libvirt.networkLookupByName(FILED).create()
            assert has_link(host, FILED), f"{FILED} is started, and its bridge is not there"
    answers = _guests_answered(testbed)
    evidence.reason = (
        f"after the restart {own} and {AUTO} are active, {MANUAL} and {FILED} known and inactive; "
        f"the guests run on: {answers}"
    )


@contextlib.contextmanager
def _defined(host: Host, name: str, *, autostart: bool) -> Iterator[None]:
    with libvirt_network.defined(host, XML.format(name)) as network:
        network.setAutostart(int(autostart))
        yield


@contextlib.contextmanager
def _file_removed(host: Host) -> Iterator[None]:
    """Have the network of the added file, and the file, removed on leaving."""
    try:
        yield
    finally:
        for network in host.libvirt.listAllNetworks():
            if network.name() == FILED:
                libvirt_network.remove(network)
        host.seen(libvirt_network.definition_file(FILED)).unlink(missing_ok=True)


def _states(host: Host) -> dict[str, tuple[int, int, int]]:
    """Return each network of libvirt's: whether active, persistent, and set to autostart."""
    return {
        network.name(): (network.isActive(), network.isPersistent(), network.autostart())
        for network in host.libvirt.listAllNetworks()
    }


def _words(state: tuple[int, int, int] | None) -> str:
    """Put a network's state after the restart into words."""
    if state is None:
        return "after the restart libvirt does not know it"
    active, persistent, autostart = state
    return (
        f"after the restart it is {'active' if active else 'inactive'}, "
        f"{'persistent' if persistent else 'transient'}, autostart {'on' if autostart else 'off'}"
    )


def _guests_answered(testbed: Testbed) -> str:
    """Require each guest to run on and its ping to be answered."""
    said = []
    for guest in testbed.guests:
        try:
            running = guest.domain.isActive()
        except libvirt.libvirtError as error:
            raise AssertionError(f"after the restart libvirt lost {guest.name}: {error}") from error
        assert running, f"after the restart {guest.name} is off"
        peer = nearest(testbed, guest).peer
        answer = poll(
            functools.partial(ping, testbed.guest_end(guest), peer),
            lambda each: each.all_answered,
            deadline_s=GUEST_DEADLINE_S,
        )
        assert answer.all_answered, f"after the restart {guest.name} pings {peer}: {answer}"
        said.append(f"{guest.name} → {peer} {answer}")
    return "; ".join(said)
