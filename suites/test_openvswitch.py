# SPDX-License-Identifier: GPL-2.0-or-later
"""Open vSwitch: its daemons, its database, its bridges."""

import json
from xml.etree import ElementTree as ET

import pytest

from fixtures.evidence import Evidence
from fixtures.host.host import Host
from fixtures.host.links import has_link
from fixtures.host.processes import processes
from fixtures.switch.ovs_bridge import DATABASE_SOCKET, interface_row, ovs_bridge, rows, vsctl
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import expect

SCRATCH = "plumb-new"
SCRATCH_PORT = "plumb-port"
DAEMONS = ("ovsdb-server", "ovs-vswitchd")
# What a datapath calls itself in `dpif/show`, by the kind asked for.
DATAPATHS = {"system": "system@ovs-system", "netdev": "netdev@ovs-netdev"}

DATABASE = "Open_vSwitch"
ANSWER_DEADLINE_S = 30.0
# D4: what `ovsdb-client list-tables` prints.
DOCUMENTED_TABLES = {
    *("Port", "Manager", "Bridge", "Interface", "SSL", "IPFIX", "Open_vSwitch", "Queue"),
    *("NetFlow", "Mirror", "QoS", "Controller", "Flow_Table", "sFlow", "Flow_Sample_Collector_Set"),
}


@pytest.mark.claims("OV-01")
def test_daemons_are_healthy(testbed: Testbed, evidence: Evidence) -> None:
    """Both daemons answer and are healthy; their version is the one that the database reports."""
    said, running = {}, processes(testbed.host)
    for daemon in DAEMONS:
        answer = testbed.host.run(["ovs-appctl", "-t", daemon, "version"], check=False)
        assert answer.status == 0, f"{daemon} does not answer: {answer.stderr.strip()}"
        said[daemon] = answer.stdout.splitlines()[0]
        # The monitor's title: "ovs-vswitchd: monitoring pid 22265 (healthy)"
        monitors = [
            running.get(each.parent, each) for each in running.values() if each.name == daemon
        ]
        titles = [" ".join(monitor.argv) for monitor in monitors]
        healthy = [title.endswith("(healthy)") for title in titles]
        assert healthy == [True], f"no monitor says that {daemon} is healthy: {titles}"
    reported = rows(testbed.host, "Open_vSwitch")[0]["ovs_version"]
    for daemon, line in said.items():
        assert line.split()[-1] == reported, f"{daemon} says {line}, the database {reported}"
    evidence.reason = "; ".join(said.values())


@pytest.mark.claims("OV-02")
def test_datapath_is_named(testbed: Testbed, evidence: Evidence) -> None:
    """The datapath that carries the bridge is the one asked for, by the switch's own word."""
    kind = str(testbed.host.ovs_datapath)
    shown = testbed.host.run(["ovs-appctl", "dpif/show"]).stdout
    # dpif/show begins each datapath's block with its name: "netdev@ovs-netdev: hit:10 missed:2"
    block, carrying = "", ""
    for line in shown.splitlines():
        if "@" in line.split(":")[0]:
            block = line.split(":")[0].strip()
        if line.strip().startswith(f"{testbed.switch.name}:"):
            carrying = block
    evidence.reason = f"{testbed.switch.name} is on {carrying}"
    assert carrying == DATAPATHS[kind], f"{testbed.switch.name} is on {carrying!r}, expected {kind}"


@pytest.mark.claims("OV-03")
def test_new_bridge_has_its_own_port(testbed: Testbed, evidence: Evidence) -> None:
    """A new bridge holds one port with one interface, both of its name, of type internal."""
    with ovs_bridge(testbed.host, SCRATCH):
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
def test_taps_are_ports(testbed: Testbed, evidence: Evidence) -> None:
    """Each guest's TAP is a port of the bridge, with its rows in Port and Interface."""
    [bridge] = rows(testbed.host, "Bridge", f"name={testbed.switch.name}")
    for guest in testbed.guests:
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
def test_database_serves_its_tables(testbed: Testbed, evidence: Evidence) -> None:
    """The database server serves `Open_vSwitch` with the documented tables.

    Steps: over the server's socket ask for the databases, for the schema, and for the rows of
    every documented table.
    Verify: the database is there, its schema has the tables, each of them can be read, and the
    bridge under test and its guests' TAPs are among the rows.
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
def test_deleted_bridge_is_gone(testbed: Testbed, evidence: Evidence) -> None:
    """Deleting a bridge removes its ports, its rows and its internal interface.

    Steps: a bridge with a second internal port; delete the bridge.
    Verify: both interfaces were on the host; then none is, nor any row of theirs.
    """
    host, names = testbed.host, (SCRATCH, SCRATCH_PORT)
    with ovs_bridge(host, SCRATCH):
        kind = ["--", "set", "Interface", SCRATCH_PORT, "type=internal"]
        vsctl(host, "add-port", SCRATCH, SCRATCH_PORT, *kind)
        expect(
            lambda: all(has_link(host, name) for name in names),
            f"{' and '.join(names)} are on the host",
            deadline_s=5,
        )
    expect(
        lambda: not any(has_link(host, name) for name in names),
        f"{' and '.join(names)} are gone from the host",
        deadline_s=5,
    )
    for table in ("Bridge", "Port", "Interface"):
        left = [row["name"] for row in rows(host, table) if row["name"] in names]
        assert not left, f"table {table} still has {left}"
    evidence.reason = f"{SCRATCH} and {SCRATCH_PORT}: links and rows gone"


@pytest.mark.claims("OV-11")
def test_interface_row_names_the_guest(testbed: Testbed, evidence: Evidence) -> None:
    """Through libvirt's virtual port the row carries iface-id, attached-mac and vm-id."""
    for guest in testbed.guests:
        row = interface_row(testbed.host, guest.tap)
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
        assert seen == wanted, f"the row of {guest.tap} says {seen}, libvirt {wanted}"
    evidence.reason = "iface-id, attached-mac and vm-id as in libvirt's live XML"


def _database_client(host: Host, command: str, *arguments: str) -> str:
    """Return what `ovsdb-client` prints on a command to the server that the host runs."""
    argv = ["ovsdb-client", command, f"unix:{DATABASE_SOCKET}", *arguments]
    return host.run(argv, deadline_s=ANSWER_DEADLINE_S).stdout
