# SPDX-License-Identifier: GPL-2.0-or-later
"""The playbooks of ci/fleet, started on this machine, and what they leave."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from launcher.cache import cache_dir
from tests.launched import ROOT

FLEET = ROOT / "ci" / "fleet"
BIN = Path(sys.executable).parent
REFUSES = "#!/bin/sh\nexit 4\n"
# Variables of hosts, by their names.
Hosts = Mapping[str, Mapping[str, object]]
ONE: Hosts = MappingProxyType({"one": {}})


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of an Ansible whose own files are in a folder of the test."""
    own = {
        "ANSIBLE_CONFIG": str(FLEET / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        # Not in that folder by itself: another test's hosts have the same addresses.
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
        "LC_ALL": "C.UTF-8",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PLUMBLINE_CACHE": str(cache_dir()),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    return {**os.environ, **own}


def pack(folder: Path, content: str | None = None, packed: str = REFUSES) -> Path:
    """Write an archive with the sums of a pack, of which only a program is left.

    Args:
        folder: where it is written.
        content: the program of the archive; None: as it was packed.
        packed: the program that the sums are of.
    """
    tree = folder / "plumbline-1"
    tree.mkdir(parents=True)
    (tree / "plumbline").write_text(packed)
    argv = ["sha256sum", "plumbline"]
    done = subprocess.run(argv, cwd=tree, check=True, capture_output=True, text=True)
    (tree / "MANIFEST.sha256").write_text(done.stdout)
    (tree / "plumbline").write_text(packed if content is None else content)
    (tree / "plumbline").chmod(0o755)
    archive = folder / "pack.tar.gz"
    subprocess.run(["tar", "-C", str(folder), "-czf", str(archive), tree.name], check=True)
    done = subprocess.run(
        ["sha256sum", archive.name], cwd=folder, check=True, capture_output=True, text=True
    )
    archive.with_name("pack.tar.gz.sha256").write_text(done.stdout)
    return archive


def on_this_machine(
    archive: Path | None, folder: Path, hosts: Hosts = ONE, **more: object
) -> subprocess.CompletedProcess[str]:
    """Run the playbook with an archive on one host, which is this machine, without SSH.

    Args:
        archive: that of all hosts; None where the inventory has it.
        folder: for the inventory, the records and what the host is given.
        hosts: the hosts by name, each with its variables; each is this machine.
        more: variables of the command line.
    """
    return subprocess.run(
        playbook("qualify.yml", archive, folder, hosts, **more),
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def playbook(
    name: str, archive: Path | None, folder: Path, hosts: Hosts = ONE, **more: object
) -> list[str]:
    """Return the words that run one of the playbooks on this machine."""
    inventory = folder / "inventory.json"
    of_all = {"ansible_connection": "local", "plumbline_become": False}
    of_all["ansible_python_interpreter"] = sys.executable
    inventory.write_text(json.dumps({"all": {"hosts": dict(hosts), "vars": of_all}}))
    given = {
        **({} if archive is None else {"plumbline_archive": str(archive)}),
        "plumbline_records": str(folder / "records"),
        "plumbline_folder": str(folder / "on-host"),
        "plumbline_formats": [],
        **more,
    }
    argv = [str(BIN / "ansible-playbook"), "-i", str(inventory), str(FLEET / name)]
    return [*argv, "-e", json.dumps(given)]


def played(
    argv: list[str], folder: Path, deadline_s: float, outputs: str
) -> subprocess.CompletedProcess[str]:
    """Run a playbook to its end; one that does not come to it fails with where it was.

    Args:
        argv: the playbook, as `playbook` gives it.
        folder: of the test, for Ansible's own files.
        deadline_s: seconds until it is ended.
        outputs: a pattern, below the folder, of what its hosts have printed.
    """
    with subprocess.Popen(
        argv,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as started:
        try:
            printed, _ = started.communicate(timeout=deadline_s)
        except subprocess.TimeoutExpired as late:
            processes = subprocess.run(
                ["ps", "--no-headers", "-eo", "pid,ppid,etimes,stat,wchan:24,args", "--forest"],
                check=True,
                capture_output=True,
                text=True,
                timeout=60,
            )
            started.kill()
            printed, _ = started.communicate()
            parts = [
                f"no end after {deadline_s:g} s",
                printed,
                *(f"{file}:\n{file.read_text()[-4000:]}" for file in sorted(folder.glob(outputs))),
                *(line[:220] for line in processes.stdout.splitlines() if " [" not in line),
            ]
            raise AssertionError("\n".join(parts)) from late
    return subprocess.CompletedProcess(argv, started.returncode, printed, "")


def report(records: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((records / "fleet.json").read_text())
    return {host["name"]: host for host in read["hosts"]}
