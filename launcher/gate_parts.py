# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of a gate, each a process of its own, and the end of a gate that one of them stops."""

import subprocess
import sys
from typing import Final, NoReturn

from contracts.exit_codes import EXIT_INTERRUPTED, EXIT_UNDECIDED
from contracts.language import chosen, gettext, gettext_noop, spoken
from launcher import run as run_command
from launcher.gate_folder import Gate
from launcher.launcher_error import LauncherError
from launcher.pytest_command import ROOT

ONCE_MENDED: Final = gettext_noop("once that is mended: ./plumbline gate --after")


def plumbline(gate: Gate, *words: str) -> int:
    """Run a subcommand; an interrupt ends it in its own way, and then the gate."""
    argv = [sys.executable, str(ROOT / "plumbline"), *words]
    return ended(subprocess.Popen(argv, cwd=gate.place))


def ended(child: subprocess.Popen[bytes]) -> int:
    """Wait for a part of the gate, and return its exit code; an interrupt is the gate's own."""
    code = waited(child)
    if code == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    return code


def waited(child: subprocess.Popen[bytes]) -> int:
    """Wait for a command; an interrupt of the terminal's is the command's as well."""
    try:
        return child.wait()
    except KeyboardInterrupt:
        child.wait()
        raise


def stop(
    gate: Gate, what: str, hint: str = ONCE_MENDED, code: int = EXIT_UNDECIDED, **parts: object
) -> NoReturn:
    """End the gate undecided, or with the exit code of the run that ended it.

    Args:
        gate: the gate, which has the language of its reader.
        what: the reason, a message.
        hint: the next step, a message.
        code: the exit code.
        parts: what both messages are filled in with.

    Raises:
        LauncherError: always.
    """
    with spoken(language_of(gate)):
        reason = gettext(what).format(**parts)
        ending = gettext("gate undecided: {reason}").format(reason=reason)
        error = LauncherError(ending, gettext(hint).format(**parts))
    error.exit_code = code if code > 0 else EXIT_UNDECIDED
    raise error


def language_of(gate: Gate) -> str:
    """Return the language of a gate's reader, which its options have from its begin on."""
    options, _ = run_command.parser().parse_known_args(gate.words)
    return chosen(options.lang, {})
