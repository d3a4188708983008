# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of ci/: what lints each, and what executes it. A new file needs a line in both tables.

Both are tests, as FILE::NAME below tests/. The linters of tests/test_ci_files.py go over all files
that have them here.
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


JOB = "test_pipelines.py::test_a_job_is_red_by_a_regression_only"
ALLURE_JOB = "test_pipelines.py::test_a_job_adds_its_run_to_allures_history"
NIGHT = "test_from_nothing.py::test_they_lead_to_a_nightly_run_with_a_baseline"
CHANGED = (
    "test_packages_changed_host.py::"
    "test_its_night_starts_once_apt_is_done_and_the_hook_asks_a_pipeline"
)
BARE_HOST = "test_pack_rehearsals.py::test_a_bare_host_installs_and_runs_it_with_the_network_closed"
IMAGE = "test_pack_rehearsals.py::test_the_commands_of_the_containerfile_make_an_image_that_runs"
FLEET = "test_fleet_playbook.py::test_every_host_is_a_row"
ARCHIVE = (
    "test_fleet_playbook.py::test_an_archive_that_is_not_that_of_its_sum_or_signer_goes_to_no_host"
)
OF_ONE_PLAYBOOK = (
    "test_fleet_playbook.py::test_without_an_archive_a_host_is_given_the_committed_tree"
)
LATER = (
    "test_fleet_fetch.py::test_a_record_is_fetched_later_where_the_run_went_on_without_the_playbook"
)
GITHUB = "test_pipeline_scripts.py::test_each_leg_of_githubs_night_makes_its_run"
GITLAB = "test_pipeline_scripts.py::test_gitlab_has_a_job_for_each_host_and_each_set_of_options"
JENKINS = (
    "test_pipeline_jenkins.py::"
    "test_a_night_has_a_cell_for_each_set_of_networks_and_baselines_of_their_own"
)
IN_TASKS = {
    "answered": FLEET,
    "copy": FLEET,
    "fetch": FLEET,
    "later": LATER,
    "main": FLEET,
    "noted": LATER,
    "prepare": FLEET,
    "remove": OF_ONE_PLAYBOOK,
    "report": FLEET,
    "run": FLEET,
    "status": FLEET,
    "verify": ARCHIVE,
}

# The test that runs a file, or has its program read it.
EXECUTED_BY: dict[str, str] = {
    "allure/package.json": ALLURE_JOB,
    "allure/package-lock.json": ALLURE_JOB,
    "apt/99plumbline": CHANGED,
    "apt/packages-changed.conf": SETTINGS,
    "apt/packages_changed.py": CHANGED,
    "container/Containerfile": IMAGE,
    "fleet/ansible.cfg": FLEET,
    "fleet/fetch.yml": LATER,
    "fleet/qualify.yml": FLEET,
    f"{ROLE}/defaults/main.yml": FLEET,
    f"{ROLE}/files/run-on-host": FLEET,
    f"{ROLE}/meta/main.yml": FLEET,
    **{f"{ROLE}/tasks/{name}.yml": test for name, test in IN_TASKS.items()},
    f"{ROLE}/vars/main.yml": FLEET,
    "github/action.yml": GITHUB,
    "github/qualify.yml": GITHUB,
    "gitlab/qualify.yml": GITLAB,
    "jenkins/Jenkinsfile": JENKINS,
    "jenkins/package.json": JENKINS,
    "jenkins/package-lock.json": JENKINS,
    "packages": BARE_HOST,
    "qualify": JOB,
    "requirements.lock": BARE_HOST,
    "setup": IMAGE,
    "systemd/plumbline-nightly.conf": TMPFILES,
    "systemd/plumbline-nightly.service": NIGHT,
    "systemd/plumbline-nightly.timer": NIGHT,
    "systemd/plumbline-packages.path": CHANGED,
    "systemd/plumbline-packages.service": CHANGED,
}
# Nothing of the product runs these: why.
DATA: dict[str, str] = {
    "jenkins/.groovylintrc.json": "the settings of a linter, which reads them as it lints",
    "requirements.in": "what was asked for when requirements.lock was made",
    "requirements-test.in": "what was asked for when requirements-test.lock was made",
    "requirements-test.lock": "the environment of the tests themselves: they run in it",
}


def linted_by(linter: str) -> list[Path]:
    """The files that have a linter."""
    return [ROOT / "ci" / name for name, linters in LINTERS.items() if linter in linters]
