# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of ci/, and what lints each. There is no default: a new file needs a line here.

A linter is a test, as FILE::NAME below tests/, or several. Those of tests/test_ci_files.py go over
all files that have them here.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SHELLCHECK = "test_pipelines_linted.py::test_shellcheck_takes_every_script"
SYSTEMD = "test_systemd_units.py::test_systemd_takes_the_units_without_a_remark"
TMPFILES = "test_systemd_units.py::test_records_are_kept_for_a_while_and_the_baseline_for_good"
SCHEMAS = "test_pipelines_linted.py::test_schemas"
ACTION = (
    "test_pipelines_linted.py::"
    "test_actionlint_takes_the_steps_of_the_action_and_shellcheck_their_scripts"
)
WORKFLOW = "test_pipelines_linted.py::test_actionlint_takes_the_workflow_and_its_use_of_the_action"
GROOVY_LINT = "test_pipelines_linted.py::test_groovy_lint_takes_the_jenkinsfile"
# No tool but a server of Jenkins knows declarative pipelines: the blocks are its handbook's.
DECLARATIVE = "test_pipeline_jenkins.py::test_a_word_that_jenkins_does_not_have_would_be_seen"
HADOLINT = (
    "test_pipelines_linted.py::test_hadolint_takes_the_containerfile_and_it_names_no_registry"
)
ANSIBLE_LINT = "test_fleet_linted.py::test_ansible_lint"
ANSIBLE_CONFIG = "test_ci_files.py::test_ansible_takes_its_configuration"
NPM = "test_ci_files.py::test_a_lock_of_npm_has_what_its_package_asks_for"
PIP_LOCK = "test_ci_files.py::test_pip_takes_a_lock_with_hashes"
PIP_IN = "test_ci_files.py::test_each_requirement_is_locked"
PACKAGES = "test_ci_files.py::test_each_row_of_packages_has_known_stages_and_proofs"
RUFF = "test_tree.py::test_ruff_check"
MYPY = "test_ci_files.py::test_mypy_takes_each_program_of_python"
APT = "test_ci_files.py::test_apt_takes_the_hook"
SETTINGS = "test_packages_changed.py::test_the_example_has_each_systems_keys"

ROLE = "fleet/roles/plumbline"
TASKS = (
    *("answered", "copy", "fetch", "later", "main", "noted", "prepare", "remove", "report"),
    *("run", "status", "verify"),
)
# By the path below ci/.
LINTERS: dict[str, tuple[str, ...]] = {
    "allure/package.json": (NPM,),
    "allure/package-lock.json": (NPM,),
    "apt/99plumbline": (APT,),
    "apt/packages-changed.conf": (SETTINGS,),
    "apt/packages_changed.py": (RUFF, MYPY),
    "container/Containerfile": (HADOLINT,),
    "fleet/ansible.cfg": (ANSIBLE_CONFIG,),
    "fleet/fetch.yml": (ANSIBLE_LINT,),
    "fleet/qualify.yml": (ANSIBLE_LINT,),
    f"{ROLE}/defaults/main.yml": (ANSIBLE_LINT,),
    f"{ROLE}/files/run-on-host": (SHELLCHECK,),
    f"{ROLE}/meta/main.yml": (ANSIBLE_LINT,),
    **{f"{ROLE}/tasks/{name}.yml": (ANSIBLE_LINT,) for name in TASKS},
    f"{ROLE}/vars/main.yml": (ANSIBLE_LINT,),
    "github/action.yml": (SCHEMAS, ACTION),
    "github/qualify.yml": (SCHEMAS, WORKFLOW),
    "gitlab/qualify.yml": (SCHEMAS, SHELLCHECK),
    "jenkins/.groovylintrc.json": (GROOVY_LINT,),
    "jenkins/Jenkinsfile": (GROOVY_LINT, DECLARATIVE),
    "jenkins/package.json": (NPM,),
    "jenkins/package-lock.json": (NPM,),
    "packages": (PACKAGES,),
    "qualify": (SHELLCHECK,),
    "requirements.in": (PIP_IN,),
    "requirements.lock": (PIP_LOCK,),
    "requirements-test.in": (PIP_IN,),
    "requirements-test.lock": (PIP_LOCK,),
    "setup": (SHELLCHECK,),
    "systemd/plumbline-nightly.conf": (TMPFILES,),
    "systemd/plumbline-nightly.service": (SYSTEMD,),
    "systemd/plumbline-nightly.timer": (SYSTEMD,),
    "systemd/plumbline-packages.path": (SYSTEMD,),
    "systemd/plumbline-packages.service": (SYSTEMD,),
}


def linted_by(linter: str) -> list[Path]:
    """The files that have a linter."""
    return [ROOT / "ci" / name for name, linters in LINTERS.items() if linter in linters]
