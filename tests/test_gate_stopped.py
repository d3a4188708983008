# SPDX-License-Identifier: GPL-2.0-or-later
"""A gate that is stopped on its way: its sentence and exit code, in the language of its options."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.language import CHINESE, ENGLISH, spoken
from contracts.run_files import RECORD
from launcher import gate, gate_unit, gate_wait
from launcher.gate_answer import answer
from launcher.gate_folder import Gate, GateFolder, Step, begun
from launcher.launcher_error import LauncherError

BEGINS = {ENGLISH: "gate undecided: ", CHINESE: "升级门禁未判定："}
# Names, commands and steps: the same in every language.
SAME = {"false", "before", "after", "restart", "log", "plumbline", "gate", "compare", "run"}


def run_before(folder: GateFolder, one: Gate) -> None:
    gate._require_record(one, gate.BEFORE_THE_COMMAND, 11, folder.before)


def run_after(folder: GateFolder, one: Gate) -> None:
    gate._require_record(one, gate.AFTER_THE_COMMAND, -9, folder.after)


def run_before_without_a_record(folder: GateFolder, one: Gate) -> None:
    gate._require_record(one, gate.BEFORE_THE_COMMAND, 1, folder.before)


def run_after_without_a_record(folder: GateFolder, one: Gate) -> None:
    gate._require_record(one, gate.AFTER_THE_COMMAND, 10, folder.after)


def command(folder: GateFolder, one: Gate) -> None:
    gate._upgraded(folder, one)


def comparison(folder: GateFolder, one: Gate) -> None:
    answer(folder, one, is_unseen=False)


def waiting(folder: GateFolder, one: Gate) -> None:
    folder.step(one, Step.RESTART)
    gate_wait.waited_for(folder)


STOPS = {
    run_before: ("the run before ended with 11", 11),
    run_after: ("the run after ended with -9", 10),
    run_before_without_a_record: ("the run before was not begun: it ended with 1, without", 10),
    run_after_without_a_record: ("the run after was not begun: it ended with 10, without", 10),
    command: ("false ended with 1; the run before is in ", 10),
    comparison: ("compare ended with 4", 10),
    waiting: ("it is at the step restart, and nothing goes on with it; ", 10),
}


@pytest.mark.parametrize("language", [ENGLISH, CHINESE])
@pytest.mark.parametrize(
    ("stopped", "said", "code"),
    [
        pytest.param(
            each, *expected, id=each.__name__, marks=[pytest.mark.slow] * (each is comparison)
        )
        for each, expected in STOPS.items()
    ],
)
def test_a_gate_that_is_stopped_speaks_the_language_of_its_options(
    tmp_path: Path,
    stopped: Callable[[GateFolder, Gate], None],
    said: str,
    code: int,
    language: str,
) -> None:
    folder = GateFolder(tmp_path, tmp_path)
    folder.before.mkdir()
    with pytest.raises(LauncherError) as caught:
        stopped(folder, begun([f"--lang={language}"], ["false"], here=False))
    assert caught.value.exit_code == code
    assert caught.value.message.startswith(BEGINS[language])
    if language == ENGLISH:
        assert said in caught.value.message
    else:
        shown = f"{caught.value.message} {caught.value.hint}".replace(str(tmp_path), "")
        assert set(re.findall(r"[A-Za-z]+", shown)) <= SAME
    assert not (folder.before / RECORD).exists()


@pytest.mark.parametrize(
    ("language", "said"), [(ENGLISH, "not up after 0.2 s"), (CHINESE, "0.2 s 后仍未启动完毕")]
)
def test_a_machine_that_is_never_up_is_named_in_the_readers_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, said: str
) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(gate_unit, "START_S", 0.2)
    with spoken(language):
        assert gate_unit.wait_for_the_start() == said
