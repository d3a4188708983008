# SPDX-License-Identifier: GPL-2.0-or-later
"""The playbooks and the role of ci/fleet, linted."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.ci_files import ANSIBLE_LINT, linted_by
from tests.fleet_playbooks import BIN, FLEET, environment

# "Examining qualify.yml of type playbook", with -vv
EXAMINED = re.compile(r"Examining (\S+) of type (?:playbook|tasks|vars|meta)")


def ansible_lint(fleet: Path, folder: Path, *words: str) -> tuple[int, str]:
    argv = [str(BIN / "ansible-lint"), "--offline", "--strict", "--profile", "production", *words]
    done = subprocess.run(
        argv,
        cwd=fleet,
        env=environment(folder) | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_ansible_lint(tmp_path: Path) -> None:
    code, said = ansible_lint(FLEET, tmp_path, "-vv")
    assert code == 0, said
    # It looks for its files itself.
    assert {FLEET / name for name in EXAMINED.findall(said)} == set(linted_by(ANSIBLE_LINT))


@pytest.mark.slow
def test_a_broken_task_of_the_role_would_be_seen(tmp_path: Path) -> None:
    copied = tmp_path / "fleet"
    shutil.copytree(FLEET, copied)
    file = copied / "roles" / "plumbline" / "tasks" / "copy.yml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("  ansible.builtin.ping:\n", "  ansible.builtin.pnig:\n"))
    code, said = ansible_lint(copied, tmp_path)
    assert code != 0
    assert "pnig" in said
