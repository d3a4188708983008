# SPDX-License-Identifier: GPL-2.0-or-later
"""Open vSwitch: its daemons, its database, its bridges."""

import json
from xml.etree import ElementTree as ET

import pytest

from fixtures.host.host import Host
from fixtures.host.links import has_link
from fixtures.probe.evidence import Evidence
from fixtures.probe.ovs_daemons import (
    bridges_in,
    daemon_process,
    database_files,
    monitor_title,
)
from fixtures.switch.ovs_bridge import (
    DATABASE_SOCKET,
    interface_row,
    ovs_bridge,
    required_datapath,
    rows,
    vsctl,
)
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import pause, poll

SCRATCH = "plumb-new"
SCRATCH_PORT = "plumb-port"
# A script or a service that looks after bridges takes a moment.
SETTLE_S = 1.0
LINK_DEADLINE_S = 5.0
DAEMONS = ("ovsdb-server", "ovs-vswitchd")
# A daemon that hangs never answers; one of a busy machine was seen to take 3 s.
ANSWER_S = 15
PATIENCE = (f"--timeout={ANSWER_S}",)
KEY = "plumbline"
DATABASE = "Open_vSwitch"
ANSWER_DEADLINE_S = 30.0
# D4: what `ovsdb-client list-tables` prints.
DOCUMENTED_TABLES = {
    *("Port", "Manager", "Bridge", "Interface", "SSL", "IPFIX", "Open_vSwitch", "Queue"),
    *("NetFlow", "Mirror", "QoS", "Controller", "Flow_Table", "sFlow", "Flow_Sample_Collector_Set"),
}


@pytest.mark.claims("OV-01")
@pytest.mark.needs("ovs")
def test_daemons_are_healthy(testbed: Testbed, evidence: Evidence) -> None:
    """Both daemons answer, follow the database and keep it; they report the database's version.

    A daemon may have a monitor, a process that restarts it after a crash and reports that in its
    title.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Ask each daemon for its version over its control socket.
        2. Read the title of each daemon's monitor, where it has one.
        3. Write a key into the row of the bridge under test, wait for ovs-vswitchd to have read it,
           and delete the key.
        4. Read the bridges from the file of the database.
        5. Read the version from the database.
    Verify:
        - each daemon runs, and answers within 15 s
        - a monitor's title says healthy
        - ovs-vswitchd has followed the database within 15 s
        - the file has the bridges that the server serves
        - the version of each daemon is the one in the database
    """
    host, said, kept = testbed.host, {}, []
    for daemon in DAEMONS:
        answer = host.run(["ovs-appctl", *PATIENCE, "-t", daemon, "version"], check=False)
        assert answer.status == 0, f"{daemon} does not answer: {answer.last_words}"
        said[daemon] = answer.stdout.splitlines()[0]
        running, process = daemon_process(host, daemon)
        assert process is not None, f"{daemon} answers, and the process of its pid file is gone"
        monitor = monitor_title(running, process)
        assert monitor is None or monitor.endswith("(healthy)"), f"its monitor reports: {monitor}"
        kept += database_files(process)
    row = ("Bridge", testbed.switch.name)
    written, deleted = (
        ("set", *row, f"external_ids:{KEY}=follows"),
        ("remove", *row, "external_ids", KEY),
    )
    followed = host.run(["ovs-vsctl", *PATIENCE, *written], check=False)
    host.run(["ovs-vsctl", *PATIENCE, "--no-wait", *deleted], check=False)
    assert followed.status == 0, (
        f"not within {ANSWER_S} s: ovs-vswitchd follows the database; {followed.last_words}"
    )
    served = {str(row["name"]) for row in rows(host, "Bridge")}
    for file in kept:
        found = bridges_in(host, file)
        assert found == served, f"{file} has the bridges {found}, the server serves {served}"
    reported = rows(host, "Open_vSwitch")[0]["ovs_version"]
    for daemon, line in said.items():
        assert line.split()[-1] == reported, f"{daemon} reports {line}, the database {reported}"
    evidence.reason = f"{'; '.join(said.values())}; kept in {', '.join(kept) or 'no file'}"


@pytest.mark.claims("OV-02")
@pytest.mark.needs("ovs")
def test_datapath_is_named(testbed: Testbed, evidence: Evidence) -> None:
    """The datapath that carries the bridge is the one asked for, by the switch's own word.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read `ovs-appctl dpif/show`.
    Verify:
        - the bridge is listed under the datapath that the host is to use: kernel or userspace
    """
    wanted = required_datapath(testbed.host).dpif
    shown = testbed.host.run(["ovs-appctl", "dpif/show"]).stdout
    # dpif/show begins each datapath's block with its name: "netdev@ovs-netdev: hit:10 missed:2"
    block, carrying = "", ""
    for line in shown.splitlines():
        if "@" in line.split(":")[0]:
            block = line.split(":")[0].strip()
        if line.strip().startswith(f"{testbed.switch.name}:"):
            carrying = block
    evidence.reason = f"{testbed.switch.name} is on {carrying}"
    assert carrying == wanted, f"{testbed.switch.name} is on {carrying!r}, expected {wanted}"


@pytest.mark.claims("OV-03")
@pytest.mark.needs("ovs")
def test_new_bridge_has_its_own_port(testbed: Testbed, evidence: Evidence) -> None:
    """A new bridge holds one port with one interface, both of its name, of type internal.

    Preconditions:
        - the database has no bridge `plumb-new`
    Steps:
        1. Add the bridge `plumb-new`, and wait 1 s for what the host does to new bridges.
        2. Read its rows in the tables Bridge, Port and Interface.
    Verify:
        - one port has the bridge's name, and it is the one port that the bridge holds
        - that port holds one interface, of the same name
        - the interface is of type internal
    """
    with ovs_bridge(testbed.host, SCRATCH):
        pause(SETTLE_S)
        [bridge] = rows(testbed.host, "Bridge", f"name={SCRATCH}")
        ports = rows(testbed.host, "Port", f"name={SCRATCH}")
        interfaces = rows(testbed.host, "Interface", f"name={SCRATCH}")
    evidence.json("rows.json", {"Bridge": bridge, "Port": ports, "Interface": interfaces})
    assert len(ports) == 1, f"{SCRATCH} has {len(ports)} ports of its own name"
    assert bridge["ports"] == ports[0]["_uuid"], f"{SCRATCH} holds other ports: {bridge['ports']}"
    assert ports[0]["interfaces"] == interfaces[0]["_uuid"], f"the port holds {ports[0]}"
    kind = interfaces[0]["type"]
    evidence.reason = f"port {ports[0]['name']}, interface {interfaces[0]['name']} of type {kind}"
    assert kind == "internal", f"the interface of {SCRATCH} is of type {kind!r}"


@pytest.mark.claims("OV-04")
@pytest.mark.needs("ovs")
def test_taps_are_ports(testbed: Testbed, evidence: Evidence) -> None:
    """Each guest's TAP is a port of the bridge, with its rows in Port and Interface.

    Preconditions:
        - the topology is up and its guests answer
    Steps:
        1. Read the row of the bridge, and the rows of each guest's TAP in Port and Interface.
    Verify:
        - each TAP is a link of the host
        - each TAP has one row in Port and one in Interface
        - the bridge holds the TAP's port
        - the interface row has no error
    """
    [bridge] = rows(testbed.host, "Bridge", f"name={testbed.switch.name}")
    for guest in testbed.guests:
        # The rows stay for a while where the link is gone.
        there = has_link(testbed.host, guest.tap)
        assert there, f"{guest.tap} of {guest.name} has its rows, and the host has no such link"
        ports = rows(testbed.host, "Port", f"name={guest.tap}")
        interfaces = rows(testbed.host, "Interface", f"name={guest.tap}")
        assert len(ports) == 1, f"{guest.tap} of {guest.name} has {len(ports)} rows in Port"
        assert len(interfaces) == 1, f"{guest.tap} has {len(interfaces)} rows in Interface"
        held = ports[0]["_uuid"] in bridge["ports"]
        assert held, f"{guest.tap} of {guest.name} is a port, but not of {testbed.switch.name}"
        error = interfaces[0]["error"]
        assert not error, f"Open vSwitch has an error on {guest.tap}: {error}"
    evidence.reason = f"ports of {testbed.switch.name}: {', '.join(testbed.switch.ports())}"


@pytest.mark.claims("OV-06")
@pytest.mark.needs("ovs")
def test_database_serves_its_tables(testbed: Testbed, evidence: Evidence) -> None:
    """The database server serves `Open_vSwitch` with the documented tables.

    Preconditions:
        - the socket of the database server is on the host
    Steps:
        1. Ask the server for its databases and for the schema of `Open_vSwitch` (`ovsdb-client`).
        2. Read all rows of each documented table.
    Verify:
        - the server has the database `Open_vSwitch`
        - its schema has every documented table
        - each of these tables can be read
        - the bridge under test and its guests' TAPs are in Bridge, Port and Interface
    """
    databases = _database_client(testbed.host, "list-dbs").split()
    assert DATABASE in databases, f"the server has {databases}, not {DATABASE}"
    schema = json.loads(_database_client(testbed.host, "get-schema", DATABASE))
    tables = set(schema["tables"])
    evidence.json("schema.json", schema)
    missing = sorted(DOCUMENTED_TABLES - tables)
    assert not missing, f"{DATABASE} {schema['version']} has no table {', '.join(missing)}"
    asked = sorted(DOCUMENTED_TABLES)
    reads = [{"op": "select", "table": table, "where": []} for table in asked]
    replies = json.loads(_database_client(testbed.host, "query", json.dumps([DATABASE, *reads])))
    # RFC 7047, section 4.1.3: an operation behind one that failed is answered by null. The client
    # asks for an abort last, and then its null follows as well.
    replies = [reply or {} for reply in replies[: len(asked)]]
    answers = dict(zip(asked, replies, strict=True))
    evidence.json("rows.json", answers)
    unread = {table: answer for table, answer in answers.items() if "rows" not in answer}
    assert not unread, f"tables that cannot be read: {unread}"
    ports = {testbed.switch.name, *(guest.tap for guest in testbed.guests)}
    for table, wanted in (("Bridge", {testbed.switch.name}), ("Port", ports), ("Interface", ports)):
        names = {row["name"] for row in answers[table]["rows"]}
        assert wanted <= names, (
            f"table {table} has {sorted(names)}, without {sorted(wanted - names)}"
        )
    evidence.reason = (
        f"{DATABASE} {schema['version']} serves {len(tables)} tables, "
        f"the {len(DOCUMENTED_TABLES)} documented ones among them"
    )


@pytest.mark.claims("OV-08")
@pytest.mark.needs("ovs")
def test_deleted_bridge_is_gone(testbed: Testbed, evidence: Evidence) -> None:
    """Deleting a bridge removes its ports, its rows and its internal interface.

    Preconditions:
        - the database has no bridge `plumb-new`, and the host no link `plumb-port`
    Steps:
        1. Add the bridge `plumb-new` with a second internal port, and wait for both links.
        2. Delete the bridge, wait until its links are gone, and 1 s for what the host does when a
           bridge is gone.
    Verify:
        - both links are gone from the host, and stay away
        - Bridge, Port and Interface have no row of either name
        - control: both links were on the host before
    """
    host, names = testbed.host, (SCRATCH, SCRATCH_PORT)

    def on_the_host() -> list[str]:
        return [name for name in names if has_link(host, name)]

    with ovs_bridge(host, SCRATCH):
        kind = ["--", "set", "Interface", SCRATCH_PORT, "type=internal"]
        vsctl(host, "add-port", SCRATCH, SCRATCH_PORT, *kind)
        there = poll(on_the_host, lambda links: links == list(names), deadline_s=LINK_DEADLINE_S)
        assert there == list(names), (
            f"not within {LINK_DEADLINE_S:g} s: {' and '.join(names)} are on the host; "
            f"there: {there or 'neither'}"
        )
    there = poll(on_the_host, lambda links: not links, deadline_s=LINK_DEADLINE_S)
    assert not there, (
        f"not within {LINK_DEADLINE_S:g} s: {' and '.join(names)} are gone from the host; "
        f"there: {there}"
    )
    pause(SETTLE_S)
    again = on_the_host()
    assert not again, f"{SETTLE_S:g} s after the deletion of {SCRATCH} there are again: {again}"
    for table in ("Bridge", "Port", "Interface"):
        left = [row["name"] for row in rows(host, table) if row["name"] in names]
        assert not left, f"table {table} still has {left}"
    evidence.reason = f"{SCRATCH} and {SCRATCH_PORT}: links and rows gone"


@pytest.mark.claims("OV-11")
@pytest.mark.needs("ovs")
def test_interface_row_names_the_guest(testbed: Testbed, evidence: Evidence) -> None:
    """Through libvirt's virtual port the row carries iface-id, attached-mac and vm-id.

    Preconditions:
        - the guests are attached by `<virtualport type='openvswitch'>`
    Steps:
        1. Read the interface row of each guest's TAP, and libvirt's live XML of the guest.
    Verify:
        - iface-id is the interface id of the virtual port in the live XML
        - attached-mac is the guest's MAC
        - vm-id is the domain's UUID
    """
    for guest in testbed.guests:
        row = interface_row(testbed.host, guest.tap)
        assert row is not None, f"{guest.tap} has no row in table Interface: it is on no bridge"
        ids = row["external_ids"]
        evidence.json(f"{guest.tap}.json", row)
        xml = ET.fromstring(guest.domain.XMLDesc())
        parameters = xml.find("devices/interface/virtualport/parameters")
        assert parameters is not None, f"the live XML of {guest.name} has no virtual port"
        wanted = {
            "iface-id": parameters.get("interfaceid"),
            "attached-mac": guest.mac,
            "vm-id": guest.domain.UUIDString(),
        }
        seen = {key: ids.get(key) for key in wanted}
        assert seen == wanted, f"the row of {guest.tap} has {seen}, libvirt {wanted}"
    evidence.reason = "iface-id, attached-mac and vm-id as in libvirt's live XML"


def _database_client(host: Host, command: str, *arguments: str) -> str:
    """Return what `ovsdb-client` prints on a command to the server that the host runs."""
    argv = ["ovsdb-client", command, f"unix:{DATABASE_SOCKET}", *arguments]
    return host.run(argv, deadline_s=ANSWER_DEADLINE_S).stdout
