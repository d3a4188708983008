# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline gate`: a run before an upgrade, one after it, and whether the upgrade is good."""

import argparse
import io
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from contracts.exit_codes import (
    EXIT_CONFORMS,
    EXIT_UNDECIDED,
    EXIT_VIOLATES,
)
from contracts.language import ENGLISH, chosen, gettext, gettext_noop, spoken
from contracts.run_files import RECORD
from launcher import gate_unit, gate_wait, setup
from launcher import run as run_command
from launcher.arguments import Parser, split_at_dashes
from launcher.gate_answer import answer
from launcher.gate_folder import (
    DEFAULT,
    Gate,
    GateFolder,
    Step,
    begun,
    is_this_machine,
)
from launcher.gate_parts import ONCE_MENDED, language_of, plumbline, stop, waited
from launcher.gate_wait import LOG
from launcher.launcher_error import UsageError
from launcher.waivers import require_waivers
from topologies.cli_names import STDIN

# With fewer no change of a speed could be shown: docs/compare.md.
SAMPLES = ("--samples=10", "--interleave")
# After these the run has a record that can be compared.
COMPARABLE = (EXIT_CONFORMS, EXIT_VIOLATES, EXIT_UNDECIDED)


class RunOfGate(NamedTuple):
    """One of the two runs: the sentences where it has no record to compare, and the next step."""

    ended: str
    not_begun: str
    hint: str


BEFORE_THE_COMMAND = RunOfGate(
    gettext_noop("the run before ended with {ended_with}"),
    gettext_noop("the run before was not begun: it ended with {ended_with}, without a record"),
    gettext_noop("nothing was changed by it"),
)
AFTER_THE_COMMAND = RunOfGate(
    gettext_noop("the run after ended with {ended_with}"),
    gettext_noop("the run after was not begun: it ended with {ended_with}, without a record"),
    ONCE_MENDED,
)

EXAMPLES = (
    ("sudo ./plumbline gate -- apt-get -y full-upgrade", "run, upgrade, run, compare"),
    ("sudo ./plumbline gate --topology nat -- apt-get -y upgrade", "the options of run"),
    (
        "sudo ./plumbline gate --restart -- apt-get -y full-upgrade",
        "with a restart",
    ),
    ("sudo ./plumbline gate --before", "the run before, alone"),
    ("sudo ./plumbline gate --after", "the run after, and the answer"),
    ("sudo ./plumbline gate --wait", "after a restart: the answer"),
)


def parser() -> Parser:
    """Return the parser of `gate`'s own options; all others are `run`'s."""
    own = Parser(
        "gate",
        "Qualify an upgrade: a run before it, a run after it, one answer. Takes run's options too.",
        EXAMPLES,
    )
    own.add_argument("--before", action="store_true", help="only the run before")
    own.add_argument("--after", action="store_true", help="the run after, and the answer")
    own.add_argument(
        "--restart",
        action="store_true",
        help="restart the machine after the command; a systemd unit goes on, once",
    )
    own.add_argument("--resume", action="store_true", help="go on after a restart: for systemd")
    own.add_argument(
        "--wait",
        action="store_true",
        help="after a restart: wait until the unit is done, and end with the gate's answer",
    )
    own.add_argument(
        "--folder",
        type=Path,
        default=DEFAULT,
        metavar="DIR",
        help=f"where the two runs and the answer go; default: {DEFAULT}",
    )
    own.add_argument(
        "--fetch-upgrade",
        metavar="NAME",
        help="with --host staged: the packages of an upgrade to that release, fetched beforehand",
    )
    return own


def main(argv: Sequence[str]) -> int:
    """Do the steps that are asked for; return 0 open, 1 closed, 10 undecided."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As elsewhere (`launcher.venv_exec`): a character that the locale lacks ends nothing.
        sys.stdout.reconfigure(errors="backslashreplace")
    typed, command = split_at_dashes(argv)
    own, words = parser().parse_known_args(typed)
    _require_one(own, words, command)
    setup.require_root("gate")
    folder = GateFolder(own.folder)
    if own.resume:
        return _resume(folder)
    if own.wait:
        _under_way(folder)
        return gate_wait.waited_for(folder)
    if own.after:
        gate = _under_way(folder)
        if gate_unit.is_possible():
            # Of a restart that was waited for, and did not come.
            gate_unit.remove()
        return _after(folder, gate)
    options = _run_options(words)
    # Imported here: --help needs none of it.
    from launcher.host_launch import LAUNCHES

    launch = LAUNCHES[options.host]
    between = launch.upgrade_argv(options, command, own.fetch_upgrade)
    if own.restart and not launch.is_this_machine:
        raise UsageError(
            f"gate --restart: with --host {options.host} the command changes no host that restarts "
            "with this machine",
            "leave it out: that host starts anew for each run",
        )
    gate = _before(folder, begun(words, between, here=launch.is_this_machine))
    if own.before:
        said = gettext_noop("gate: the run before is in {place}; next: ./plumbline gate --after")
        _print(gate, said, place=folder.before)
        return EXIT_CONFORMS
    return _through(folder, gate, restart=own.restart)


def _require_one(own: argparse.Namespace, words: Sequence[str], command: Sequence[str]) -> None:
    asked = [name for name in ("before", "after", "resume", "wait") if getattr(own, name)]
    if len(asked) + bool(command) != 1:
        raise UsageError(
            "gate: expected one of --before, --after, --wait, and a command after --",
            "sudo ./plumbline gate -- apt-get -y full-upgrade",
        )
    if own.restart and not command:
        raise UsageError("gate --restart: it follows a command", "leave it out")
    if own.restart and not gate_unit.is_possible():
        raise UsageError(
            "gate --restart: systemd does not run this machine, and goes on with nothing after it",
            "gate --before, the upgrade, the restart, gate --after",
        )
    if words and (own.after or own.resume or own.wait):
        raise UsageError(
            f"gate --{asked[0]}: unexpected {words[0]!r}", "it takes the options of the run before"
        )


def _run_options(words: Sequence[str]) -> argparse.Namespace:
    """Read the options of both runs, and refuse those that make no sense here."""
    options = run_command.parser().parse(words)
    for name in ("output", "plan", "expect_verdicts"):
        if getattr(options, name):
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"gate: not with {flag}", "leave it out; --folder says where all goes")
    require_waivers(options)
    if STDIN in options.topology:
        raise UsageError("gate --topology -: two runs cannot read it", "name a file")
    return options


def _before(folder: GateFolder, gate: Gate) -> Gate:
    folder.make_room()
    gate = replace(gate, words=_with_defaults(gate.words, os.environ))
    folder.write(gate)
    code = _run(gate, folder.before)
    _require_record(gate, BEFORE_THE_COMMAND, code, folder.before)
    return folder.step(gate, Step.READY)


def _with_defaults(words: Sequence[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the options of both runs, with the samples and the language that are not among them.

    The language of the locale is one of the options, too: systemd goes on without that locale.
    """
    given = {word.partition("=")[0] for word in words}
    added = [] if "--samples" in given else [*SAMPLES]
    if "--lang" not in given and (language := chosen(None, environment)) != ENGLISH:
        added.append(f"--lang={language}")
    return (*words, *added)


def _through(folder: GateFolder, gate: Gate, *, restart: bool) -> int:
    """Run the command and what follows; a restart of the machine in it is gone on from."""
    if not (gate.here and gate_unit.is_possible()):
        return _after(folder, _upgraded(folder, gate))
    gate_unit.install(folder.place)
    restarts = False
    try:
        gate = _upgraded(folder, gate)
        restarts = restart or gate_unit.is_going_down()
        if not restarts:
            return _after(folder, gate)
        folder.step(gate, Step.RESTART)
        if restart:
            subprocess.run(["systemctl", "reboot"], check=True)
        _print(
            gate,
            gettext_noop("gate: the machine restarts; the answer will be in {place}"),
            place=folder.place / LOG,
        )
        return EXIT_UNDECIDED
    finally:
        # A restart later than that ends this process where it is, and the unit goes on as well.
        if not restarts:
            gate_unit.remove()


def _print(gate: Gate, message: str, **parts: object) -> None:
    with spoken(language_of(gate)):
        print(gettext(message).format(**parts), flush=True)


def _upgraded(folder: GateFolder, gate: Gate) -> Gate:
    """Run the command.

    Raises:
        LauncherError: it failed.
    """
    gate = folder.step(gate, Step.COMMAND)
    typed = shlex.join(gate.command)
    print(f"gate: {typed}", flush=True)
    code = waited(subprocess.Popen(gate.command, cwd=gate.place))
    if code != 0:
        said = gettext_noop("{command} ended with {ended_with}; the run before is in {place}")
        stop(gate, said, command=typed, ended_with=code, place=folder.before)
    return gate


def _resume(folder: GateFolder) -> int:
    """Go on after a restart; for the unit, which is gone then."""
    gate_unit.remove()
    gate = _under_way(folder)
    begun_in = (Step.COMMAND, Step.RESTART, Step.AFTER)
    if gate.step not in begun_in or not folder.is_restarted(gate):
        raise UsageError(
            f"gate --resume: the machine was not restarted in the middle of {folder.place}'s gate",
            "./plumbline gate --after",
        )
    with spoken(language_of(gate)):
        state = gate_unit.wait_for_the_start()
    _print(gate, gettext_noop("gate: the machine is up again: {state}"), state=state)
    if gate.step is Step.AFTER:
        # The run after was under way: what it made is taken back.
        plumbline(gate, "clean")
    return _after(folder, gate, is_unseen=gate.step is Step.COMMAND)


def _under_way(folder: GateFolder) -> Gate:
    """Return the gate whose run before is there; one that is done can have another run after."""
    gate = folder.read()
    if gate is None or gate.step is Step.BEFORE or not folder.before.exists():
        raise UsageError(
            f"gate: there is no run before in {folder.place}", "sudo ./plumbline gate --before"
        )
    if not is_this_machine(gate.machine):
        raise UsageError(
            f"gate: the run before in {folder.place} is another machine's",
            "an upgrade is judged by two runs of one host",
        )
    return gate


def _after(folder: GateFolder, gate: Gate, *, is_unseen: bool = False) -> int:
    folder.put_aside_after()
    gate = folder.step(gate, Step.AFTER)
    code = _run(gate, folder.after)
    _require_record(gate, AFTER_THE_COMMAND, code, folder.after)
    return answer(folder, gate, is_unseen=is_unseen)


def _require_record(gate: Gate, which: RunOfGate, code: int, output: Path) -> None:
    """Stop where a run decided nothing that could be compared."""
    if code not in COMPARABLE:
        stop(gate, which.ended, which.hint, code, ended_with=code)
    if not (output / RECORD).exists():
        stop(gate, which.not_begun, which.hint, ended_with=code)


def _run(gate: Gate, output: Path) -> int:
    return plumbline(gate, "run", *gate.words, "--output", str(output))
