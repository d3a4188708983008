#!/usr/bin/python3 -I
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ask the pipelines of a file of settings to qualify this host, whose packages have changed.

It needs Python's standard library alone. Exit codes: 0 each was asked, 1 one did not take it, 4 the
settings cannot be used.
"""

import base64
import configparser
import http.client
import json
import socket
import stat
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

SETTINGS = Path("/etc/plumbline/packages-changed.conf")
# apt waits for it.
DEADLINE_S = 10.0


class SettingsError(Exception):
    """Settings that cannot be used."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET, whose answer looks like a success."""

    def redirect_request(self, *_: object) -> None:
        """Follow none: urllib raises the answer as an error."""


@dataclass(frozen=True)
class Question:
    """A POST by which a system is asked for a run.

    Attributes:
        address: where it goes.
        body: what it has.
        headers: those beside HTTP's own.
        success: the status of an answer that promises the run.
    """

    address: str
    body: bytes
    headers: dict[str, str]
    success: int


def github(given: Mapping[str, str]) -> Question:
    """GitHub's repository_dispatch (REST API, "Create a repository dispatch event")."""
    hosts = json.dumps([given["host"]])
    event = {"event_type": "packages-changed", "client_payload": {"hosts": hosts}}
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {given['token']}",
        "Content-Type": "application/json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    address = f"{given['api'].rstrip('/')}/repos/{given['repository']}/dispatches"
    return Question(address, json.dumps(event).encode(), headers, 204)


def gitlab(given: Mapping[str, str]) -> Question:
    """GitLab's trigger of a pipeline (Pipeline trigger tokens API)."""
    project = urllib.parse.quote(given["project"], safe="")
    form = {
        "token": given["token"],
        "ref": given["ref"],
        "variables[PLUMBLINE_HOST]": given["host"],
    }
    address = f"{given['api'].rstrip('/')}/projects/{project}/trigger/pipeline"
    return Question(address, urllib.parse.urlencode(form).encode(), {}, 201)


def jenkins(given: Mapping[str, str]) -> Question:
    """Jenkins' buildWithParameters (Remote Access API). An API token needs no crumb."""
    who = base64.b64encode(f"{given['user']}:{given['token']}".encode()).decode()
    form = {"ONLY_HOST": given["host"]}
    address = f"{given['job'].rstrip('/')}/buildWithParameters"
    headers = {"Authorization": f"Basic {who}"}
    return Question(address, urllib.parse.urlencode(form).encode(), headers, 201)


# By the name of the section: its keys beside `host`, and its question.
SYSTEMS: dict[str, tuple[set[str], Callable[[Mapping[str, str]], Question]]] = {
    "github": ({"api", "repository", "token"}, github),
    "gitlab": ({"api", "project", "ref", "token"}, gitlab),
    "jenkins": ({"job", "user", "token"}, jenkins),
}


def settings(file: Path) -> dict[str, dict[str, str]]:
    """Read the settings: by the name of each section its keys, all there.

    Raises:
        SettingsError: the file is not there, open to others, or has no settings that can be used.
    """
    found = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SettingsError(f"{file}: it has tokens and is open to others; chmod 600 {file}")
        found.read_string(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}; ci/apt/packages-changed.conf") from error
    except (configparser.Error, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from error
    if not found.sections():
        raise SettingsError(f"{file}: expected a section of {', '.join(SYSTEMS)}, found none")
    return {name: _section(file, name, found[name]) for name in found.sections()}


def _section(file: Path, name: str, found: Mapping[str, str]) -> dict[str, str]:
    if name not in SYSTEMS:
        raise SettingsError(f"{file}: [{name}]: expected {', '.join(SYSTEMS)}")
    needed = SYSTEMS[name][0]
    if unknown := sorted(found.keys() - needed - {"host"}):
        expected = ", ".join(sorted(needed | {"host"}))
        raise SettingsError(f"{file}: [{name}] {unknown[0]}: expected a key of {expected}")
    if missing := sorted(key for key in needed if not found.get(key)):
        raise SettingsError(f"{file}: [{name}]: expected {missing[0]} = …, found none")
    for key, value in found.items():
        if "\n" in value or not value.isascii():
            raise SettingsError(
                f"{file}: [{name}] {key}: expected one line of ASCII; a line that begins with a "
                "blank continues the one before"
            )
    for key in {"api", "job"} & needed:
        if _scheme(found[key]) not in {"http", "https"}:
            raise SettingsError(f"{file}: [{name}] {key}: expected an http or https address")
    given = {key: value for key, value in found.items() if value}
    return {"host": socket.gethostname(), **given}


def _scheme(address: str) -> str:
    """Return the scheme of an address; nothing where it is none."""
    try:
        return urllib.parse.urlsplit(address).scheme
    except ValueError:
        return ""


def asked(question: Question) -> str | None:
    """Ask for a run; returns why there is none, None if there will be one."""
    request = urllib.request.Request(  # noqa: S310 - settings() took http and https alone
        question.address, data=question.body, headers=question.headers
    )
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=DEADLINE_S) as answer:
            found = f"{answer.status} {answer.reason}"
            if answer.status == question.success:
                return None
    except urllib.error.HTTPError as error:
        with error:
            found = f"{error.code} {error.reason}"
    except (ValueError, http.client.InvalidURL):
        # Their messages may have a token in them.
        return "a value of its settings cannot be sent by HTTP"
    except (OSError, http.client.HTTPException) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__
    return f"its answer was {found}, expected {question.success}"


def main(words: list[str]) -> int:
    """Ask each pipeline of the settings.

    Args:
        words: the file of settings, if it is another one.
    """
    try:
        systems = settings(Path(words[0]) if words else SETTINGS)
    except SettingsError as error:
        print(f"packages_changed.py: {error}", file=sys.stderr)
        return 4
    code = 0
    for name, given in systems.items():
        _, question = SYSTEMS[name]
        if (wrong := asked(question(given))) is None:
            print(f"packages_changed.py: {name} was asked to qualify {given['host']}")
        else:
            print(f"packages_changed.py: {name} was not asked: {wrong}", file=sys.stderr)
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
