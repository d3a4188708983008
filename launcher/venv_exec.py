# SPDX-License-Identifier: GPL-2.0-or-later
"""Subcommands that only read records: they run in the virtual environment."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from launcher import setup

ROOT = Path(__file__).resolve().parent.parent


def exec_in_venv(module: str, order: Mapping[str, object]) -> NoReturn:
    """Become a module of `reports` in the environment's interpreter, with its orders.

    Records are read with libraries that the machine's own Python need not have. Set-up makes only
    the environment: no guest image, no system package of a run, and so no root.

    Args:
        module: its full name; it has a `main`, which takes the orders and returns the exit code.
        order: its one argument, as JSON.

    Raises:
        LauncherError: the environment could not be built.
    """
    argv, environment = venv_call(module, order)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(argv[0], argv, environment)  # noqa: S606 - no shell is the point


def venv_call(module: str, order: Mapping[str, object]) -> tuple[list[str], dict[str, str]]:
    """Return the command of a module of `reports`, and its environment.

    Args:
        module: see `exec_in_venv`.
        order: likewise.

    Raises:
        LauncherError: the environment could not be built.
    """
    interpreter = str(setup.ensure_environment())
    # -P: the user's folder may have a file with the name of a library.
    argv = [interpreter, "-P", "-m", "launcher.venv_main", module, json.dumps(order)]
    own = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": _encoding(os.environ)}
    return argv, {**os.environ, **own}


def _encoding(environment: Mapping[str, str]) -> str:
    r"""Return the encoding of the standard streams, with `\u4e2d` for a character that it lacks.

    Standard error has that by itself. Elsewhere such a character, in a locale without UTF-8, would
    end the command: with a traceback, and with the exit code of violated claims.
    """
    name, _, errors = environment.get("PYTHONIOENCODING", "").partition(":")
    return f"{name}:{errors or 'backslashreplace'}"
