# SPDX-License-Identifier: GPL-2.0-or-later
"""A clone whose ./plumbline is a stand-in: a pipeline's job runs in it, and makes no network."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from contracts.verdicts import NOT_DECIDED
from tests.launched import ROOT

# Notes the words of each call. A run ends with what the file `code` has, and leaves the record of
# the file `record` but for usage errors, as a real one does. A comparison ends with what the file
# `compared` has.
PLUMBLINE = """#!/bin/sh
here=$(dirname "$0")
printf '%s\\0' "$@" >"$here/called-$1"
case $1 in
run)
    code=$(cat "$here/code")
    if [ "$code" != 4 ]; then mkdir "$3" && cp "$here/record" "$3/run.json"; fi
    exit "$code"
    ;;
compare)
    cat "$here/page-compare"
    exit "$(cat "$here/compared")"
    ;;
report)
    while [ "$#" -gt 1 ]; do
        if [ "$1" = --output ] || [ "$1" = --bundle ]; then cat "$here/page-run" >"$2"; fi
        shift
    done
    ;;
esac
"""
# Notes its words, and makes a page and a history where its configuration wants them.
ALLURE = """#!/usr/bin/env python3
import json, pathlib, sys
words = sys.argv[1:]
with (pathlib.Path(__file__).parent / "called-allure").open("a") as calls:
    print(json.dumps(words), file=calls)
if words == ["--version"]:
    print("3.0.0")
else:
    command, option, config, results = words
    assert (command, option) == ("generate", "--config")
    assert pathlib.Path(results).read_text() == "# The run\\n"
    asked = json.loads(pathlib.Path(config).read_text())
    page = pathlib.Path(asked["output"]) / "index.html"
    page.parent.mkdir()
    page.write_text("# The trend\\n")
    with open(asked["historyPath"], "a") as history:
        print(asked["historyLimit"], file=history)
"""
# As Debian's sudo does it: of the environment what is named, and as PATH its secure_path.
SECURE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SUDO = f"""#!/bin/bash
kept=("PATH={SECURE_PATH}")
while [[ $1 == -* ]]; do
    [[ $1 == --preserve-env=* ]] || exit 64
    name=${{1#*=}}
    [[ ! -v $name ]] || kept+=("$name=${{!name}}")
    shift
done
echo "$*" >>"$(dirname "$0")/called-sudo"
exec env --ignore-environment "${{kept[@]}}" "$@"
"""


def executable(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)
    return file


def recorded(*verdicts: str, finished: bool = True) -> str:
    """Return a run's record; `PipelineClone.records` has the words."""
    checks: list[dict[str, object]] = []
    waivers = []
    for number, word in enumerate(verdicts):
        topology, _, verdict = word.rpartition(":")
        check = {"id": f"some.check_{number}", "topology": topology or "nat"}
        claim = f"NT-{number:02}"
        seen = {"cut": "inconclusive", "waived": "violates"}.get(verdict, verdict)
        reason = NOT_DECIDED if verdict == "cut" else None
        checks.append({**check, "claims": [claim], "verdict": seen, "reason": reason})
        if verdict == "waived":
            names = [f"{check['topology']}: {check['id']}"]
            waivers.append({"id": claim, "outcome": "waived", "violations": names})
    ended = "2026-03-01T12:03:41Z" if finished else None
    return json.dumps({"finished": ended, "topologies": [], "checks": checks, "waivers": waivers})


class PipelineClone:
    """ci/ of this tree, in a folder with a stand-in for ./plumbline; `sudo` is one, too."""

    def __init__(self, folder: Path) -> None:
        """Make it.

        Args:
            folder: is not there yet.
        """
        self.folder = folder
        self.programs = folder / "programs"
        shutil.copytree(ROOT / "ci", folder / "ci")
        executable(folder / "plumbline", PLUMBLINE)
        executable(self.programs / "sudo", SUDO)
        self.records("conforms")
        self.pages("# The run\n", "# The comparison\n")
        self.ends_with(0)

    def records(self, *verdicts: str) -> None:
        """Set the verdicts of the checks in the next run's record.

        Args:
            verdicts: one for each check; `cut` is one that the run did not come to, `waived` a
                violation with a waiver, and `host:…` one of the host itself.
        """
        (self.folder / "record").write_text(recorded(*verdicts))

    def has_baseline(self, *verdicts: str) -> Path:
        """Put a baseline into the clone's folder, of checks with these verdicts, and return it."""
        baseline = self.folder / "baseline"
        baseline.mkdir()
        (baseline / "run.json").write_text(recorded(*verdicts or ("conforms",)))
        return baseline

    def pages(self, of_the_run: str, of_the_comparison: str) -> None:
        """Set the pages of the next run and of its comparison."""
        (self.folder / "page-run").write_text(of_the_run, encoding="utf-8")
        (self.folder / "page-compare").write_text(of_the_comparison, encoding="utf-8")

    def ends_with(self, code: int, compared: int = 0) -> None:
        """Set the exit codes of the next run, and of the comparison after it."""
        (self.folder / "code").write_text(str(code))
        (self.folder / "compared").write_text(str(compared))

    def called(self, command: str) -> list[str] | None:
        """Return the words of ./plumbline's last call with this command, None without one."""
        file = self.folder / f"called-{command}"
        if not file.exists():
            return None
        return file.read_text(encoding="utf-8").split("\0")[1:-1]

    def options_of_the_run(self) -> list[str] | None:
        """Return the words of ./plumbline run behind its --output FOLDER; None without a run."""
        words = self.called("run")
        return None if words is None else words[2:]

    def add_allure(self) -> None:
        """Put the stand-in of Allure into the PATH."""
        executable(self.programs / "allure", ALLURE)

    def allure(self) -> list[list[str]]:
        """Return the words of each call of Allure."""
        file = self.programs / "called-allure"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def environment(self, variables: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return a runner's environment, in which sudo is the stand-in."""
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        return {**kept, "PATH": path, **(variables or {})}

    def script(
        self, text: str, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a script as GitHub's and GitLab's runners do, in the folder of the clone."""
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.environment(variables),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def qualify(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ci/qualify of the clone."""
        return subprocess.run(
            [str(self.folder / "ci" / "qualify"), *words],
            cwd=self.folder,
            env=self.environment(variables),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def lines_of_json(text: str) -> list[dict[str, object]]:
    """Return the objects of a text that has one in each line that begins with a brace."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
