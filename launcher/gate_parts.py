# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of a gate, each a process of its own, and the end of a gate that one of them stops."""

import subprocess
import sys
from typing import NoReturn

from contracts.exit_codes import EXIT_INTERRUPTED, EXIT_UNDECIDED
from launcher.gate_folder import Gate
from launcher.launcher_error import LauncherError
from launcher.pytest_command import ROOT


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


def stop(what: str, hint: str, code: int = EXIT_UNDECIDED) -> NoReturn:
    """End the gate undecided, or with the exit code of the run that ended it.

    Raises:
        LauncherError: always.
    """
    error = LauncherError(f"gate undecided: {what}", hint)
    error.exit_code = code if code > 0 else EXIT_UNDECIDED
    raise error
