# SPDX-License-Identifier: GPL-2.0-or-later
"""The documented commands of brctl, run as written, against what the kernel has.

D4, "Linux bridge"; D1, D2 and D3 list and attach by them.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fixtures.host.host import Host
from fixtures.host.links import has_link, set_up
from fixtures.probe.evidence import Evidence
from fixtures.probe.marked_frames import BROADCAST, arrivals, marked
from fixtures.probe.station import NIC, Station, plugged_station
from fixtures.switch.brctl import ShownBridge, ShownMac, brctl, shown, shown_macs
from fixtures.switch.linux_bridge import USER_HZ, LinuxBridge, linux_bridge
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause, poll

SCRATCH = "plumb-brctl"
SENDER_MAC = "02:00:5e:00:53:21"  # locally administered, unused
EMPTY_ID = "8000.000000000000"
FRAME_DEADLINE_S = 5.0
QUIET_S = 0.3
# Each setter with a value that is not the default, and the kernel's name and value of it.
BRIDGE_SETTERS = {
    ("setbridgeprio", "4096"): ("IFLA_BR_PRIORITY", 4096),
    ("setfd", "4"): ("IFLA_BR_FORWARD_DELAY", 400),
    ("sethello", "1"): ("IFLA_BR_HELLO_TIME", 100),
    ("setmaxage", "10"): ("IFLA_BR_MAX_AGE", 1000),
    ("setageing", "600"): ("IFLA_BR_AGEING_TIME", 60000),
}
PORT_SETTERS = {("setpathcost", "7"): ("cost", 7), ("setportprio", "16"): ("priority", 16)}


@pytest.mark.claims("LB-13")
@pytest.mark.needs("brctl")
def test_listings(testbed: Testbed, evidence: Evidence) -> None:
    """`brctl show`, `showstp` and `showmacs` list the bridge under test as the kernel has it.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Run the three commands for the bridge under test.
        2. Read the bridge and its forwarding table from the kernel.
    Verify:
        - `show` has the bridge's id, its STP state and its ports, and nothing else
        - `showstp` has the bridge's id, its root and each port
        - `showmacs` has each address of the forwarding table on the number of its port, with the
          local ones marked, and nothing else
    """
    host, bridge = testbed.host, testbed.linux_bridge
    # A guest may be learnt or forgotten between two readings.
    listed, there = poll(
        lambda: (_listed(host, bridge.name), _there(host, bridge)),
        lambda both: both[0] == both[1],
        deadline_s=FRAME_DEADLINE_S,
    )
    assert listed == there, f"brctl lists {listed}, the kernel has {there}"
    _row, macs = there
    stp = brctl(host, "showstp", bridge.name).require_success().stdout
    for line in (f"bridge id {bridge.bridge_id()}", f"designated root {bridge.root_id()}"):
        assert line in _words(stp), f"`brctl showstp {bridge.name}` has no “{line}”"
    for port, number in _numbers(host, bridge).items():
        assert f"{port} ({number})" in stp, f"`brctl showstp {bridge.name}` has no port {port}"
    evidence.reason = f"{bridge.name} as the kernel has it, with {len(macs)} addresses"


@pytest.mark.claims("LB-13")
@pytest.mark.needs("brctl")
def test_documented_life(testbed: Testbed, evidence: Evidence) -> None:
    """From `brctl addbr` to `brctl delbr` each command does what D4 shows.

    Preconditions:
        - the host has no links `plumb-brctl` and `plumb-brctl0`
    Steps:
        1. Run `brctl addbr`, `show`, `addif` with a station's cable, `show`, `stp on`, `showstp`
           and `stp off`.
        2. Send a frame from the station, and run `brctl showmacs`.
        3. Run `brctl delif`, take the bridge down, and run `brctl delbr` and `show`.
    Verify:
        - each command ends without an error
        - the new bridge is listed with id 8000.000000000000, STP `no` and no interface
        - with the port it is listed with that interface
        - STP is `yes` after `stp on` and `no` after `stp off`, and the kernel has it so
        - the address of the frame is listed on the port's number as not local
        - after `delif` the port is no port, after `delbr` the bridge is gone, and listed no more
    """
    host = testbed.host
    with _made(host) as (bridge, far):
        name, port = bridge.name, far.port
        assert bridge.ports() == [], f"a new bridge has the ports {bridge.ports()}"
        _expect_shown(host, ShownBridge(EMPTY_ID, "no", []))
        _require(host, "addif", name, port)
        assert bridge.ports() == [port], f"after addif the ports are {bridge.ports()}"
        _expect_shown(host, ShownBridge(bridge.bridge_id(), "no", [port]))
        for word, listed, on in (("on", "yes", True), ("off", "no", False)):
            _require(host, "stp", name, word)
            assert bridge.stp() == on, f"after `brctl stp {name} {word}` the kernel has STP {on}"
            _expect_shown(host, ShownBridge(bridge.bridge_id(), listed, [port]))
            _require(host, "showstp", name)
        set_up(host, name)
        far.send(marked(SENDER_MAC, BROADCAST))
        wanted = ShownMac(_numbers(host, bridge)[port], SENDER_MAC, "no")
        macs = poll(
            lambda: shown_macs(_require(host, "showmacs", name)),
            lambda macs: wanted in macs,
            deadline_s=FRAME_DEADLINE_S,
        )
        assert wanted in macs, f"`brctl showmacs` lists {macs}, without {wanted}"
        _require(host, "delif", name, port)
        assert bridge.ports() == [], f"after delif the ports are {bridge.ports()}"
        host.run(["ip", "link", "set", name, "down"])
        _require(host, "delbr", name)
        assert not has_link(host, name), f"after delbr {name} is still there"
        _expect_shown(host, None)
    evidence.reason = (
        f"{SCRATCH}: addbr, addif {port}, STP on and off, {wanted.mac} learnt, delif, delbr"
    )


@pytest.mark.lengthy(beside_harmless=True)
@pytest.mark.claims("LB-13")
@pytest.mark.needs("brctl")
def test_setters(testbed: Testbed, evidence: Evidence) -> None:
    """Each setter that brctl's own help lists sets its figure; `hairpin` turns frames back.

    Preconditions:
        - the host has no links `plumb-brctl` and `plumb-brctl0`
    Steps:
        1. Make a bridge by brctl, with a station's cable as its port.
        2. Run each setter with a value other than the default, and read the figure of the kernel.
        3. Send a broadcast from the station with hairpin off, on, and off again.
    Verify:
        - each command ends without an error, and the kernel has the figure
        - the broadcast returns to its sender with hairpin on, and not with hairpin off
    """
    host, seen = testbed.host, {}
    with _made(host) as (bridge, far):
        _require(host, "addif", bridge.name, far.port)
        set_up(host, bridge.name)
        for (command, value), (key, figure) in BRIDGE_SETTERS.items():
            _require(host, command, bridge.name, value)
            seen[command] = bridge.attribute(key)
            assert seen[command] == figure, f"after {command} {value}: {key} is {seen[command]}"
        for (command, value), (key, figure) in PORT_SETTERS.items():
            _require(host, command, bridge.name, far.port, value)
            seen[command] = _port(host, far.port)[key]
            assert seen[command] == figure, f"after {command} {value}: {key} is {seen[command]}"
        with evidence.capture(far.machine, NIC) as frames:
            for number, word in enumerate(("off", "on", "off")):
                _require(host, "hairpin", bridge.name, far.port, word)
                mark = f"hairpin {word}, {number}.".encode()
                far.send(marked(SENDER_MAC, BROADCAST, mark))
                _expect_back(lambda mark=mark: arrivals(frames, mark), word)
            frames.require_whole()
    evidence.reason = ", ".join(f"{command}: {value}" for command, value in seen.items())


@contextmanager
def _made(host: Host) -> Iterator[tuple[LinuxBridge, Station]]:
    """Make a bridge by brctl, and a station whose cable is nowhere yet; after, both are gone."""
    with (
        linux_bridge(host, f"{SCRATCH}0") as elsewhere,
        plugged_station(host, elsewhere, "st1") as far,
    ):
        elsewhere.detach(far.port)
        _require(host, "addbr", SCRATCH)
        assert has_link(host, SCRATCH), f"`brctl addbr {SCRATCH}` made no link"
        try:
            yield LinuxBridge(host, SCRATCH), far
        finally:
            if has_link(host, SCRATCH):
                host.run(["ip", "link", "del", SCRATCH])


def _require(host: Host, *words: str) -> str:
    """Require a command of brctl to end without an error; returns its output."""
    done = brctl(host, *words)
    assert done.status == 0, f"`brctl {' '.join(words)}` ends with {done.status}: {done.last_words}"
    return done.stdout


def _expect_shown(host: Host, wanted: ShownBridge | None) -> None:
    found = shown(_require(host, "show"), SCRATCH)
    assert found == wanted, f"`brctl show` lists {SCRATCH} as {found}, expected {wanted}"


def _expect_back(count: Any, hairpin: str) -> None:
    """Require a broadcast to return once with hairpin on, and not at all with it off."""
    if hairpin == "on":
        assert poll(count, deadline_s=FRAME_DEADLINE_S), "with hairpin on no frame returns"
        return
    pause(QUIET_S)
    assert not count(), "with hairpin off the frame returns to its sender"


def _listed(host: Host, name: str) -> tuple[ShownBridge | None, list[ShownMac]]:
    row = shown(_require(host, "show"), name)
    # A kernel with VLANs of bridges has an entry for each VLAN, and brctl has no column for it.
    return row, sorted(set(shown_macs(_require(host, "showmacs", name))))


def _there(host: Host, bridge: LinuxBridge) -> tuple[ShownBridge, list[ShownMac]]:
    """Return the kernel's view of a bridge in the form of brctl's listings."""
    numbers = _numbers(host, bridge)
    row = ShownBridge(bridge.bridge_id(), "yes" if bridge.stp() else "no", sorted(bridge.ports()))
    hold_s = _hold_s(bridge)
    # The bridge's own entries have no port, and brctl lists none. Netlink lists an expired one
    # until the kernel sweeps it out, brctl does not.
    macs = {
        ShownMac(numbers[entry.port], entry.mac, "yes" if entry.local else "no")
        for entry in bridge.fdb()
        if entry.port in numbers and (entry.local or entry.age_s is None or entry.age_s < hold_s)
    }
    return row, sorted(macs)


def _hold_s(bridge: LinuxBridge) -> float:
    """Return the age at which an address expires now (IEEE 802.1D 7.9.2)."""
    if bridge.attribute("IFLA_BR_TOPOLOGY_CHANGE"):
        return bridge.forward_delay_s()
    return float(bridge.attribute("IFLA_BR_AGEING_TIME")) / USER_HZ


def _numbers(host: Host, bridge: LinuxBridge) -> dict[str, int]:
    return {port: int(_port(host, port)["no"], 16) for port in bridge.ports()}


def _port(host: Host, port: str) -> Any:
    [link] = json.loads(host.run(["ip", "-details", "-json", "link", "show", port]).stdout)
    return link["linkinfo"]["info_slave_data"]


def _words(text: str) -> str:
    """Return a text with each gap of it as one blank."""
    return " ".join(text.split())
