# SPDX-License-Identifier: GPL-2.0-or-later
"""apt's hook, which asks pipelines for a run, with a real HTTP server in the place of theirs."""

import base64
import json
import runpy
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.launched import ROOT

CI = ROOT / "ci"
SCRIPT = CI / "apt" / "packages_changed.py"
EXAMPLE = CI / "apt" / "packages-changed.conf"
SUCCESS = {"github": 204, "gitlab": 201, "jenkins": 201}


@dataclass
class Servers:
    """One server for all three systems.

    Attributes:
        address: of it, with scheme and port.
        requests: path, headers and body of each.
        status: of its answers by the first part of the path; without it, that of success.
    """

    address: str = ""
    requests: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    status: dict[str, int] = field(default_factory=dict)

    def settings(self, folder: Path, *names: str, mode: int = 0o600) -> Path:
        """Write the settings for some of the systems."""
        texts = {
            "github": f"api = {self.address}/github\nrepository = me/fork\ntoken = ghp_1",
            "gitlab": f"api = {self.address}/gitlab\nproject = a/b\nref = main\ntoken = glptt-2",
            "jenkins": f"job = {self.address}/jenkins/job/plumbline\nuser = bot\ntoken = 3",
        }
        file = folder / "packages-changed.conf"
        sections = (f"[{name}]\n{texts[name]}\nhost = kvm 7\n" for name in names)
        file.write_text("\n".join(sections))
        file.chmod(mode)
        return file


@pytest.fixture
def servers() -> Iterator[Servers]:
    made = Servers()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length).decode()
            made.requests.append((self.path, dict(self.headers), body))
            system = self.path.split("/")[1]
            self.send_response(made.status.get(system, SUCCESS[system]))
            self.send_header("Location", f"{made.address}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        made.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def changed(settings: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(settings)],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_githubs_event_is_one_that_the_workflow_takes(servers: Servers, tmp_path: Path) -> None:
    done = changed(servers.settings(tmp_path, "github"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "packages_changed.py: github was asked to qualify kvm 7\n"
    [(path, headers, body)] = servers.requests
    assert path == "/github/repos/me/fork/dispatches"
    assert headers["Authorization"] == "Bearer ghp_1"
    assert headers["Content-Type"] == "application/json"
    event = json.loads(body)
    workflow = YAML(typ="safe").load((CI / "github" / "qualify.yml").read_text())
    assert event["event_type"] in workflow["on"]["repository_dispatch"]["types"]
    [payload] = event["client_payload"]
    assert json.loads(event["client_payload"][payload]) == ["kvm 7"]
    host = workflow["jobs"]["qualify"]["strategy"]["matrix"]["host"]
    assert f"fromJSON(github.event.client_payload.{payload} ||" in host


def test_gitlabs_trigger_has_the_variable_of_the_jobs_rules(
    servers: Servers, tmp_path: Path
) -> None:
    assert changed(servers.settings(tmp_path, "gitlab")).returncode == 0
    [(path, _, body)] = servers.requests
    assert path == "/gitlab/projects/a%2Fb/trigger/pipeline"
    form = dict(urllib.parse.parse_qsl(body))
    assert form.pop("variables[PLUMBLINE_HOST]") == "kvm 7"
    assert form == {"token": "glptt-2", "ref": "main"}
    rules = (CI / "gitlab" / "qualify.yml").read_text()
    assert "if: $PLUMBLINE_HOST && $HOST && $PLUMBLINE_HOST != $HOST" in rules
    assert "|trigger|" in rules


def test_jenkins_build_has_a_parameter_of_the_jenkinsfile(servers: Servers, tmp_path: Path) -> None:
    assert changed(servers.settings(tmp_path, "jenkins")).returncode == 0
    [(path, headers, body)] = servers.requests
    assert path == "/jenkins/job/plumbline/buildWithParameters"
    assert headers["Authorization"] == f"Basic {base64.b64encode(b'bot:3').decode()}"
    [(name, value)] = urllib.parse.parse_qsl(body)
    assert value == "kvm 7"
    assert f"string(name: '{name}', " in (CI / "jenkins" / "Jenkinsfile").read_text()


@pytest.mark.parametrize("status", [200, 302, 401, 404, 500])
def test_one_that_does_not_take_it_is_named_and_the_others_are_asked(
    servers: Servers, tmp_path: Path, status: int
) -> None:
    servers.status["gitlab"] = status
    done = changed(servers.settings(tmp_path, "gitlab", "jenkins"))
    assert done.returncode == 1
    assert f"gitlab was not asked: its answer was {status} " in done.stderr
    assert "expected 201" in done.stderr
    assert "jenkins was asked" in done.stdout
    assert "glptt-2" not in done.stdout + done.stderr


def test_a_server_that_is_not_there_is_named(servers: Servers, tmp_path: Path) -> None:
    file = servers.settings(tmp_path, "jenkins")
    # Bound, and so no other's; nothing listens.
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler, bind_and_activate=False) as closed:
        closed.server_bind()
        gone = f"http://127.0.0.1:{closed.server_port}"
        file.write_text(file.read_text().replace(servers.address, gone))
        done = changed(file)
    assert (done.returncode, servers.requests) == (1, [])
    assert "jenkins was not asked: " in done.stderr
    assert "Connection refused" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a section of github, gitlab, jenkins, found none"),
        ("[travis]\n", "[travis]: expected github, gitlab, jenkins"),
        ("[jenkins]\njob = http://x\nuser = u\n", "[jenkins]: expected token = …, found none"),
        ("[jenkins]\njob = file:///x\nuser = u\ntoken = t\n", "[jenkins] job: expected an http"),
        ("[github]\ntokn = t\n", "[github] tokn: expected a key of api, host, repository, token"),
        ("token = t\n", "no section headers"),
        ("[jenkins]\njob = http://x\nuser = u\ntoken = t\n host = k\n", "expected one line"),
        ("[jenkins]\njob = http://[x\nuser = u\ntoken = t\n", "[jenkins] job: expected an http"),
    ],
)
def test_settings_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "settings"
    file.write_text(text)
    file.chmod(0o600)
    done = changed(file)
    assert (done.returncode, done.stdout) == (4, "")
    assert said in done.stderr
    assert str(file) in done.stderr


def test_settings_that_others_may_read_are_refused(servers: Servers, tmp_path: Path) -> None:
    done = changed(servers.settings(tmp_path, "jenkins", mode=0o640))
    assert done.returncode == 4
    assert "it has tokens and is open to others; chmod 600 " in done.stderr
    assert servers.requests == []
    assert "No such file" in changed(tmp_path / "missing").stderr


def test_the_example_has_each_systems_keys(tmp_path: Path) -> None:
    file = tmp_path / "settings"
    lines = EXAMPLE.read_text().splitlines()
    file.write_text("\n".join(line[1:] if line[:2] not in {"# ", ""} else "" for line in lines))
    file.chmod(0o600)
    script = runpy.run_path(str(SCRIPT))
    assert script["settings"](file).keys() == script["SYSTEMS"].keys()
