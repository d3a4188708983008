# SPDX-License-Identifier: GPL-2.0-or-later
"""The client of Open vSwitch's database: against a real server, and messages cut anywhere."""

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.errors import HarnessError
from fixtures.switch.ovsdb import DatabaseRefused, Ovsdb, ovsdb
from fixtures.waiting import until

SCHEMA = {
    "name": "Small",
    "version": "1.0.0",
    "tables": {"Thing": {"columns": {"name": {"type": "string"}}, "isRoot": True}},
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Path]:
    schema, database, path = tmp_path / "schema", tmp_path / "db", tmp_path / "sock"
    schema.write_text(json.dumps(SCHEMA))
    subprocess.run(["ovsdb-tool", "create", database, schema], check=True)
    argv = ["ovsdb-server", "--unixctl=none", "-vconsole:off", "-vsyslog:off"]
    with subprocess.Popen([*argv, f"--remote=punix:{path}", str(database)]) as running:
        try:
            until(path.exists, "the server listens", deadline_s=10)
            yield path
        finally:
            running.kill()


def test_server_answers(server: Path) -> None:
    with ovsdb(server) as database:
        assert "Small" in database.call("list_dbs")
        schema = database.call("get_schema", "Small")
        insert = {"op": "insert", "table": "Thing", "row": {"name": "ö"}}
        select = {"op": "select", "table": "Thing", "where": [], "columns": ["name"]}
        done = database.call("transact", "Small", insert, select)
    assert set(schema["tables"]) == {"Thing"}
    assert done[1] == {"rows": [{"name": "ö"}]}


def test_refusal_is_told(server: Path) -> None:
    with ovsdb(server) as database, pytest.raises(DatabaseRefused, match="get_schema") as raised:
        database.call("get_schema", "Nowhere")
    assert "Nowhere" in raised.value.hint


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no database server"), ovsdb(tmp_path / "none"):
        pass


def test_messages_cut_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """An echo request and the answer come in one stream, octet by octet, an umlaut in two."""
    monkeypatch.setattr("fixtures.switch.ovsdb.CHUNK_BYTES", 1)
    near, far = socket.socketpair()
    echo = {"method": "echo", "params": ["still there"], "id": "echo"}
    answer = {"id": 1, "result": "grün", "error": None}
    octets = b"".join(json.dumps(m, ensure_ascii=False).encode() for m in (echo, answer))
    with near, far:
        near.settimeout(5)
        far.settimeout(5)
        # What is sent before it is asked for waits in the socket.
        far.sendall(octets)
        assert Ovsdb(near).call("list_dbs") == "grün"
        # Both were sent before the call returned; the pair keeps the order.
        request = json.dumps({"method": "list_dbs", "params": [], "id": 1})
        replied = json.dumps({"result": ["still there"], "error": None, "id": "echo"})
        assert far.recv(4096).decode() == request + replied


def test_closed_before_the_answer() -> None:
    near, far = socket.socketpair()
    with near:
        near.settimeout(5)
        far.sendall(b'{"id": 1, "resu')
        far.shutdown(socket.SHUT_WR)
        with pytest.raises(HarnessError, match="closed the connection"):
            Ovsdb(near).call("list_dbs")
    far.close()
