# SPDX-License-Identifier: GPL-2.0-or-later
"""Waivers on the command lines of `report` and `compare`, which judge records again."""

import argparse
import os
import subprocess
from typing import Any

from contracts.waiver_options import WAIVER_OPTIONS
from launcher import setup
from launcher.arguments import Parser
from launcher.launcher_error import UsageError
from launcher.pytest_command import ROOT
from topologies import typed_waivers
from topologies.data_error import DataError


def add_waiver_options(own: Parser) -> None:
    """Add them to a subcommand's parser."""
    for option in WAIVER_OPTIONS:
        own.add_argument(option.flag, **option.declaration())


def waiver_values(options: argparse.Namespace) -> dict[str, Any]:
    """Return what each of these options was given, by its name on the command line."""
    return {option.flag: getattr(options, option.name) or None for option in WAIVER_OPTIONS}


def require_waivers(options: argparse.Namespace) -> None:
    """Check waivers before any set-up.

    Raises:
        UsageError: they are not what they should be.
    """
    try:
        typed_waivers.require(options.waive, options.until, options.why, options.waivers)
    except DataError as error:
        raise UsageError(str(error)) from error
    if (options.waive or options.waivers) and getattr(options, "expect_verdicts", None):
        raise UsageError(
            "--waive: not with --expect-verdicts, whose comparison is the answer",
            "make it an exception in the file of expected verdicts",
        )


def waiver_order(options: argparse.Namespace) -> dict[str, Any]:
    """Return a subcommand's options for its module, the waivers as entries of a record.

    Raises:
        UsageError: they are not what they should be.
    """
    require_waivers(options)
    entries: list[Any] = [*typed_waivers.typed(options.waive, options.until, options.why)]
    order = dict(vars(options))
    file = order["waivers"]
    for option in WAIVER_OPTIONS:
        del order[option.name]
    if file is not None:
        entries += _of_file(file)
    return order | {"waivers": entries}


def _of_file(file: str) -> list[Any]:
    """Have a file read in the environment: there is no YAML in the standard library."""
    # Imported here: --help needs none of it.
    import json

    argv = [str(setup.ensure_environment()), "-P", "-m", "topologies.waiver_file", file]
    done = subprocess.run(
        argv,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise UsageError(done.stderr.strip() or f"--waivers {file}: cannot be read")
    found: list[Any] = json.loads(done.stdout)
    return found
