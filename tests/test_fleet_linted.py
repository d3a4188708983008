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

# "WARNING  Invalid value (None)for resolved_fqcn attribute of ansible.builtin.pnig module."
UNKNOWN = "for resolved_fqcn attribute of"


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
    assert UNKNOWN not in said
    # It looks for its files itself.
    assert {FLEET / name for name in EXAMINED.findall(said)} == set(linted_by(ANSIBLE_LINT))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "wrong", "said_of_it"),
    [
        ("  ansible.builtin.ping:", "  ping:", "fqcn[action-core]"),
        # In a file that another one includes it is no failure of ansible-lint's.
        ("  ansible.builtin.ping:", "  ansible.builtin.pnig:", UNKNOWN),
    ],
    ids=["short name", "unknown module"],
)
def test_a_broken_task_of_the_role_would_be_seen(
    module: str, wrong: str, said_of_it: str, tmp_path: Path
) -> None:
    copied = tmp_path / "fleet"
    shutil.copytree(FLEET, copied)
    file = copied / "roles" / "plumbline" / "tasks" / "copy.yml"
    text = file.read_text(encoding="utf-8")
    assert text.count(module) == 1
    file.write_text(text.replace(module, wrong))
    code, said = ansible_lint(copied, tmp_path)
    assert code != 0 or said_of_it == UNKNOWN
    assert said_of_it in said
