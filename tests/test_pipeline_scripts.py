# SPDX-License-Identifier: GPL-2.0-or-later
"""What GitHub's and GitLab's files have a runner's shell do, run as a runner's shell does it.

The scripts are taken from the files. What the servers put into them is filled in here: GitHub's
expressions in `env` and `with`, GitLab's inputs and matrix. ./plumbline and sudo are stand-ins.
"""

import itertools
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.launched import ROOT
from tests.pipeline_clone import PipelineClone

CI = ROOT / "ci"
# GitHub's ${{ inputs.accept-unknown || false }}, and GitLab's $[[ inputs.job ]].
EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")
INPUT = re.compile(r"\$\[\[ inputs\.(\w+) \]\]")
EXISTING = ["--host", "local", "--existing"]


@pytest.fixture
def clone(tmp_path: Path) -> PipelineClone:
    return PipelineClone(tmp_path / "clone")


def documents(name: str) -> list[Any]:
    return list(YAML(typ="safe").load_all((CI / name).read_text(encoding="utf-8")))


def evaluated(text: str, contexts: Mapping[str, str]) -> str:
    """Fill in GitHub's expressions: names of contexts, false, and `||` between them.

    Args:
        text: of a value in a workflow.
        contexts: values by their names, as in `inputs.options`; what is not there is empty.
    """

    def value(found: re.Match[str]) -> str:
        for name in found[1].split(" || "):
            assert re.fullmatch(r"[\w-]+\.[\w.-]+|false", name), f"{name} in {text}"
            if name == "false" or contexts.get(name, "") not in {"", "false"}:
                return contexts.get(name, name)
        return ""

    return EXPRESSION.sub(value, text)


def action(
    clone: PipelineClone, number: int, given: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a step of the action.

    Args:
        clone: where it is run.
        number: of the step, from 0.
        given: inputs; the others have their defaults.
    """
    [described] = documents("github/action.yml")
    inputs = {name: one["default"] for name, one in described["inputs"].items()}
    assert given.keys() <= inputs.keys()
    contexts = {f"inputs.{name}": value for name, value in {**inputs, **given}.items()}
    step = described["runs"]["steps"][number]
    assert step["shell"] == "bash"
    variables = {name: evaluated(text, contexts) for name, text in step["env"].items()}
    place = {
        "GITHUB_ACTION_PATH": str(clone.folder / "ci" / "github"),
        "GITHUB_STEP_SUMMARY": str(clone.folder / "page.md"),
    }
    return clone.script(step["run"], {**variables, **place})


def legs(matrix: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The combinations of a matrix of networks, with what `include` adds to each."""
    for networks in matrix["networks"]:
        leg = {"networks": networks}
        for added in matrix["include"]:
            if added["networks"] == networks:
                leg |= added
        yield leg


def night(clone: PipelineClone, **inputs: str) -> dict[str, list[str] | None]:
    """The options of the run in each leg of the workflow, by its networks."""
    [workflow] = documents("github/qualify.yml")
    job = workflow["jobs"]["qualify"]
    [step] = [step for step in job["steps"] if step["uses"] == "./ci/github"]
    found = {}
    for leg in legs(job["strategy"]["matrix"]):
        contexts = {f"matrix.{name}": value for name, value in leg.items()}
        contexts |= {f"inputs.{name.replace('_', '-')}": value for name, value in inputs.items()}
        given = {
            name: evaluated(text, contexts)
            for name, text in step["with"].items()
            # The runner's own variable is a condition; without it there is no history.
            if name != "history"
        }
        assert given["output"] == f"plumbline-{leg['networks']}"
        given["baselines"] = str(clone.folder / "kept")
        done = action(clone, 0, given)
        assert done.returncode == 0, done.stderr
        found[leg["networks"]] = clone.options_of_the_run()
    return found


def test_each_leg_of_githubs_night_makes_its_run(clone: PipelineClone) -> None:
    """On a schedule inputs are empty, and a leg's options may be a blank."""
    assert night(clone) == {"documented": [], "existing": EXISTING}
    kept = sorted(folder.name.rpartition("-")[0] for folder in (clone.folder / "kept").iterdir())
    assert kept == ["default", "host-local-existing"]


def test_githubs_options_on_demand_are_added_and_unknown_is_accepted(clone: PipelineClone) -> None:
    clone.ends_with(10)
    nat = ["--topology", "nat"]
    demanded = night(clone, options="--topology nat", accept_unknown="true")
    assert demanded == {"documented": nat, "existing": [*EXISTING, *nat]}


def test_github_shows_the_workflows_inputs_with_both_of_its_events() -> None:
    [workflow] = documents("github/qualify.yml")
    called = workflow["on"]["workflow_call"]["inputs"]
    assert called == workflow["on"]["workflow_dispatch"]["inputs"]
    assert {"hosts", "options", "accept-unknown"} == set(called)


@pytest.mark.parametrize("options", ["", " ", "--topology 'my net.yaml' --claim \"NT-09\""])
def test_the_actions_options_are_words(clone: PipelineClone, options: str) -> None:
    done = action(clone, 0, {"options": options})
    assert (done.returncode, done.stderr) == (0, "")
    quoted = ["--topology", "my net.yaml", "--claim", "NT-09"]
    assert clone.options_of_the_run() == (quoted if options.strip() else [])
    assert (clone.folder / "page.md").read_text().startswith("**Plumbline: green**\n")


def test_the_actions_options_with_an_open_quote_fail_and_nothing_is_run(
    clone: PipelineClone,
) -> None:
    for accepted in ("false", "true"):
        done = action(clone, 0, {"options": "--topology 'nat", "accept-unknown": accepted})
        assert done.returncode == 4
        assert "expected an end of each quotation" in done.stderr
        assert "usage or data error" in (clone.folder / "page.md").read_text()
    assert clone.called("run") is None


@pytest.mark.parametrize(
    ("code", "accepted", "ends_with"),
    [(10, "false", 10), (10, "true", 0), (1, "true", 1), (11, "true", 11), (130, "true", 130)],
)
def test_the_actions_exit_code(
    clone: PipelineClone, code: int, accepted: str, ends_with: int
) -> None:
    clone.ends_with(code)
    assert action(clone, 0, {"accept-unknown": accepted}).returncode == ends_with


def test_the_actions_record_becomes_the_runners_own_if_there_is_one(clone: PipelineClone) -> None:
    assert action(clone, 1, {}).returncode == 0
    assert not (clone.programs / "called-sudo").exists()
    action(clone, 0, {})
    assert action(clone, 1, {}).returncode == 0
    last = (clone.programs / "called-sudo").read_text().splitlines()[-1]
    assert re.fullmatch(r"chown --recursive \d+ plumbline-run", last)


def gitlab_jobs(**given: Any) -> tuple[str, dict[str, Any]]:
    """The name and the description of GitLab's jobs, with inputs in their places."""
    [header, jobs] = documents("gitlab/qualify.yml")
    inputs = {name: one["default"] for name, one in header["spec"]["inputs"].items()}
    assert given.keys() <= inputs.keys()
    inputs |= given

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {filled(name): filled(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner) for inner in value]
        if not isinstance(value, str):
            return value
        # An input that is the whole of a value keeps its type.
        if whole := INPUT.fullmatch(value):
            return inputs[whole[1]]
        return INPUT.sub(lambda found: inputs[found[1]], value)

    [(name, job)] = filled(jobs).items()
    return name, job


def gitlab_matrix(job: dict[str, Any]) -> Iterator[dict[str, str]]:
    [axes] = job["parallel"]["matrix"]
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def gitlab_run(
    clone: PipelineClone, job: dict[str, Any], variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return clone.script("\n".join(job["script"]), variables)


def test_gitlab_has_a_job_for_each_host_and_each_set_of_options(clone: PipelineClone) -> None:
    kept = str(clone.folder / "kept")
    name, job = gitlab_jobs(hosts=["a1", "b2"], baselines=kept, job="mine")
    assert name == "mine"
    found = []
    for number, cell in enumerate(gitlab_matrix(job)):
        # GitLab's own runner removes what is left of the job before.
        done = gitlab_run(clone, job, cell)
        assert done.returncode == 0, done.stderr
        (clone.folder / "plumbline-run").rename(clone.folder / f"{number}")
        found.append((cell["HOST"], clone.options_of_the_run()))
    documented = ["--host", "sandbox"]
    assert found == [(host, opts) for host in ("a1", "b2") for opts in (documented, EXISTING)]
    assert job["tags"] == ["$HOST"]
    assert job["resource_group"] == "plumbline-$HOST"


def test_gitlabs_options_on_demand_are_added(clone: PipelineClone) -> None:
    _, job = gitlab_jobs(baselines=str(clone.folder / "kept"))
    cell = next(gitlab_matrix(job))
    for typed, words in (("--claim 'NT 09'", ["--claim", "NT 09"]), (" ", [])):
        gitlab_run(clone, job, {**cell, "PLUMBLINE_OPTIONS": typed})
        assert clone.options_of_the_run() == ["--host", "sandbox", *words]
        shutil.rmtree(clone.folder / "plumbline-run")
    done = gitlab_run(clone, job, {**cell, "PLUMBLINE_OPTIONS": "--claim 'NT-09"})
    assert done.returncode == 4
    assert "expected an end of each quotation" in done.stderr


@pytest.mark.parametrize("code", [0, 1, 4, 10, 11, 130])
def test_gitlabs_job_ends_with_the_code_and_only_unknown_is_a_warning(
    clone: PipelineClone, code: int
) -> None:
    _, job = gitlab_jobs(baselines="")
    clone.ends_with(code)
    assert gitlab_run(clone, job, next(gitlab_matrix(job))).returncode == code
    assert job["allow_failure"] == {"exit_codes": [10]}


def test_gitlabs_component_runs_in_a_project_that_has_another_clone(
    clone: PipelineClone, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    _, job = gitlab_jobs(clone=str(clone.folder), baselines="")
    script = f"cd {project}\n" + "\n".join(job["script"])
    done = clone.script(script, next(gitlab_matrix(job)))
    assert done.returncode == 0, done.stderr
    assert (project / "plumbline-run" / "summary.md").exists()
