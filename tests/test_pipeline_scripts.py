# SPDX-License-Identifier: GPL-2.0-or-later
"""What GitHub's and GitLab's files have a runner's shell do, run as a runner's shell does it.

The scripts are taken from the files. What the servers put into them is filled in here: GitHub's
expressions in `env` and `with`, GitLab's inputs and matrix. ./plumbline and sudo are stand-ins.
"""

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.launched import ROOT
from tests.pipeline_clone import PipelineClone, executable

CI = ROOT / "ci"
# GitHub's ${{ inputs.hosts || '["kvm"]' }}, and GitLab's $[[ inputs.job ]].
EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")
INPUT = re.compile(r"\$\[\[ inputs\.(\w+) \]\]")
EXISTING = ["--host", "local", "--existing"]


@pytest.fixture
def clone(tmp_path: Path) -> PipelineClone:
    return PipelineClone(tmp_path / "clone")


def documents(name: str) -> list[Any]:
    return list(YAML(typ="safe").load_all((CI / name).read_text(encoding="utf-8")))


def evaluated(text: str, contexts: Mapping[str, str]) -> str:
    """Fill in GitHub's expressions.

    Args:
        text: of a value in a workflow.
        contexts: values by their names, as in `inputs.options`; what is not there is empty.
    """
    return EXPRESSION.sub(lambda found: str(value_of(found[1], contexts)), text)


def value_of(expression: str, contexts: Mapping[str, str]) -> Any:
    """The value of an expression: names of contexts, texts, false, `||` and fromJSON."""
    if inner := re.fullmatch(r"fromJSON\((.+)\)", expression):
        return json.loads(value_of(inner[1], contexts))
    found = ""
    for term in expression.split(" || "):
        assert re.fullmatch(r"[\w-]+\.[\w.-]+|false|'[^']*'", term), f"{term} in {expression}"
        # A text and `false` are themselves.
        found = contexts.get(term, "") if "." in term and term[0] != "'" else term.strip("'")
        if found not in {"", "false"}:
            return found
    return found


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


def legs(matrix: Mapping[str, Any], contexts: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The combinations of a matrix of hosts and networks, with what `include` adds to each."""
    [hosts] = EXPRESSION.findall(matrix["host"])
    for host, networks in itertools.product(value_of(hosts, contexts), matrix["networks"]):
        leg = {"host": host, "networks": networks}
        for added in matrix["include"]:
            if added["networks"] == networks:
                leg |= added
        yield leg


def contexts_of(leg: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    return {**{f"matrix.{name}": value for name, value in leg.items()}, **given}


def qualify_job() -> dict[str, Any]:
    [workflow] = documents("github/qualify.yml")
    job: dict[str, Any] = workflow["jobs"]["qualify"]
    return job


def night_jobs(
    clone: PipelineClone, **given: str
) -> Iterator[tuple[str, subprocess.CompletedProcess[str]]]:
    """Run each leg of the workflow, and yield its networks with its job.

    Args:
        clone: where it is run.
        given: inputs, and variables of the repository in capital letters.
    """
    job = qualify_job()
    [step] = [step for step in job["steps"] if step["uses"] == "./ci/github"]
    of_all = {
        f"vars.{name}" if name.isupper() else f"inputs.{name.replace('_', '-')}": value
        for name, value in given.items()
    }
    for leg in legs(job["strategy"]["matrix"], of_all):
        contexts = contexts_of(leg, of_all)
        words = {name: evaluated(text, contexts) for name, text in step["with"].items()}
        assert words["output"] == f"plumbline-{leg['networks']}"
        words["baselines"] = str(clone.folder / "kept")
        yield leg["networks"], action(clone, 0, words)


def night(clone: PipelineClone, **given: str) -> dict[str, list[str] | None]:
    """The options of the run in each leg of the workflow, by its networks; see `night_jobs`."""
    found = {}
    for networks, done in night_jobs(clone, **given):
        assert done.returncode == 0, done.stderr
        found[networks] = clone.options_of_the_run()
    return found


def test_each_leg_of_githubs_night_makes_its_run(clone: PipelineClone) -> None:
    """On a schedule inputs are empty, and a leg's options may be a blank."""
    assert night(clone) == {"documented": [], "existing": EXISTING}
    assert readable(clone.folder / "kept") == ["default", "host-local-existing"]
    # No variable of the repository, no page of Allure.
    assert clone.allure() == []


def readable(folder: Path) -> list[str]:
    """What people read of the names of baselines and histories."""
    return sorted(entry.name.rpartition("-")[0] for entry in folder.iterdir())


def test_each_leg_of_githubs_night_has_a_history_of_its_own(clone: PipelineClone) -> None:
    clone.add_allure()
    histories = clone.folder / "histories"
    for _ in range(2):
        night(clone, ALLURE_HISTORIES=str(histories))
        for output in clone.folder.glob("plumbline-*"):
            assert (output / "allure.html").read_text() == "# The trend\n"
            shutil.rmtree(output)
    assert readable(histories) == ["default", "host-local-existing"]
    assert {file.suffix for file in histories.iterdir()} == {".jsonl"}
    assert {file.read_text() for file in histories.iterdir()} == {"60\n60\n"}


@pytest.mark.parametrize(
    ("event", "hosts"),
    [
        ({}, ["kvm"]),
        ({"inputs.hosts": '["a1", "b 2"]'}, ["a1", "b 2"]),
        ({"github.event.client_payload.hosts": '["kvm 7"]'}, ["kvm 7"]),
    ],
    ids=["schedule", "on demand", "packages changed"],
)
def test_githubs_matrix_has_the_hosts_of_its_event(event: dict[str, str], hosts: list[str]) -> None:
    job = qualify_job()
    found = list(legs(job["strategy"]["matrix"], event))
    wanted = [(host, networks) for host in hosts for networks in ("documented", "existing")]
    assert [(leg["host"], leg["networks"]) for leg in found] == wanted
    labels = [
        [evaluated(word, contexts_of(leg, event)) for word in job["runs-on"]] for leg in found
    ]
    assert labels == [["self-hosted", host] for host, _ in wanted]
    turns = {evaluated(job["concurrency"], contexts_of(leg, event)) for leg in found}
    assert len(turns) == len(wanted)


def test_an_expression_that_is_not_known_here_fails() -> None:
    with pytest.raises(AssertionError, match="format"):
        value_of("format('{0}', inputs.options)", {})


def test_githubs_options_on_demand_are_added(clone: PipelineClone) -> None:
    nat = ["--topology", "nat"]
    assert night(clone, options="--topology nat") == {
        "documented": nat,
        "existing": [*EXISTING, *nat],
    }


@pytest.mark.parametrize(
    ("given", "ends_with"),
    [({}, 0), ({"accept_unknown": "true"}, 0), ({"accept_unknown": "false"}, 10)],
    ids=["schedule", "accepted", "refused"],
)
def test_githubs_unknown_night_passes_unless_that_is_refused(
    clone: PipelineClone, given: dict[str, str], ends_with: int
) -> None:
    clone.ends_with(10, 10)
    for _, done in night_jobs(clone, **given):
        assert done.returncode == ends_with, done.stderr


def test_github_accepts_unknown_by_default_everywhere() -> None:
    [workflow], [described] = documents("github/qualify.yml"), documents("github/action.yml")
    assert described["inputs"]["accept-unknown"]["default"] == "true"
    for event in ("workflow_dispatch", "workflow_call"):
        assert workflow["on"][event]["inputs"]["accept-unknown"]["default"] is True


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
    ("code", "accepted", "ends_with", "level"),
    [
        (10, None, 0, "warning"),
        (10, "true", 0, "warning"),
        # What an empty expression of a workflow gives.
        (10, "", 0, "warning"),
        (10, "false", 10, "error"),
        (0, None, 0, None),
        (1, None, 1, None),
        (11, "true", 11, None),
        (130, "true", 130, None),
    ],
)
def test_the_actions_exit_code_and_annotation(
    clone: PipelineClone, code: int, accepted: str | None, ends_with: int, level: str | None
) -> None:
    clone.ends_with(code)
    done = action(clone, 0, {} if accepted is None else {"accept-unknown": accepted})
    assert done.returncode == ends_with
    said = [line for line in done.stdout.splitlines() if line.startswith("::")]
    unknown = "unknown: not everything was decided. The job's summary names what is open."
    assert said == ([f"::{level} title=Plumbline::Plumbline: {unknown}"] if level else [])


def test_a_run_without_a_record_passes_by_no_setting(clone: PipelineClone) -> None:
    executable(clone.folder / "plumbline", "#!/bin/sh\necho 'no module named pytest' >&2\nexit 1\n")
    done = action(clone, 0, {"accept-unknown": "true"})
    assert done.returncode == 10
    said = [line for line in done.stdout.splitlines() if line.startswith("::")]
    assert len(said) == 1
    assert said[0].startswith("::error title=Plumbline::Plumbline: ")
    assert "left no record" in said[0]


def test_the_action_refuses_another_word_before_the_run(clone: PipelineClone) -> None:
    done = action(clone, 0, {"accept-unknown": "yes"})
    wrong = "accept-unknown: expected true or false, found yes"
    assert (done.returncode, done.stdout) == (4, f"::error title=Plumbline::{wrong}\n")
    assert clone.called("run") is None


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


def test_gitlab_has_a_history_for_each_set_of_options(clone: PipelineClone) -> None:
    clone.add_allure()
    histories = clone.folder / "histories"
    _, job = gitlab_jobs(baselines="", histories=str(histories))
    for _ in range(2):
        for cell in gitlab_matrix(job):
            done = gitlab_run(clone, job, cell)
            assert done.returncode == 0, done.stderr
            assert (clone.folder / "plumbline-run" / "allure.html").exists()
            shutil.rmtree(clone.folder / "plumbline-run")
    assert readable(histories) == ["host-local-existing", "host-sandbox"]
    assert {file.read_text() for file in histories.iterdir()} == {"60\n60\n"}


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
