# SPDX-License-Identifier: GPL-2.0-or-later
"""The top of the command line: the subcommand, and its exit code."""

import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

from contracts.exit_codes import EXIT_INTERRUPTED, EXIT_MEANINGS, EXIT_USAGE
from launcher.launcher_error import LauncherError, UsageError, near_miss


class Command(NamedTuple):
    """A subcommand: the module with its `main(argv) -> int`, and its purpose."""

    module: str
    summary: str


# The modules are named, not imported: --help must not wait for unused imports.
COMMANDS = {
    "run": Command("launcher.run", "qualify topologies: build, check, a verdict per claim"),
    "prove": Command("launcher.prove", "break topologies on purpose: which check catches it"),
    "report": Command("launcher.report", "a run as a page, for a pipeline, or bundled and signed"),
    "compare": Command(
        "launcher.compare", "changes and regressions between two runs, or over many"
    ),
    "gate": Command("launcher.gate", "an upgrade: a run before, a run after, one answer"),
    "explain": Command("launcher.explain", "a claim: its sources, its checks, what breaks it"),
    "doctor": Command("launcher.doctor", "what this machine can test, and what is missing"),
    "stage": Command("launcher.stage", "a host in namespaces to try a command on"),
    "clean": Command("launcher.clean", "remove what an interrupted run or set-up left behind"),
    "test": Command("launcher.selftest", "the harness's own tests and linters"),
    "topology": Command("launcher.topology", "write the networks of a host as topology files"),
    "completion": Command("launcher.completion", "completion for bash, zsh or fish"),
    "man": Command("launcher.man", "the manual page, for man -l -"),
    "image": Command("launcher.image", "build, show, export or import the guest image"),
    "pack": Command("launcher.pack", "one archive for hosts without a network"),
}

EXAMPLES = """\
examples:
  sudo ./plumbline run                  every topology, in a sandbox
  sudo ./plumbline run --topology nat   one topology
  ./plumbline doctor                    what this machine can test; no root, no changes
  ./plumbline run --help                the options of a subcommand
"""


def main(argv: Sequence[str]) -> int:
    """Run one subcommand and return the exit code of the contract."""
    try:
        return dispatch(argv)
    except LauncherError as error:
        sys.stdout.flush()
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nplumbline: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def dispatch(argv: Sequence[str]) -> int:
    """Call the subcommand that `argv` names.

    Raises:
        UsageError: it names none, or an unknown one.
    """
    if not argv:
        print(usage(), file=sys.stderr)
        return EXIT_USAGE
    if argv[0] in ("-h", "--help"):
        print(usage())
        return 0
    if argv[0] == "--version":
        # Imported here: --help must not wait for unused imports.
        from launcher.unpacked import identity

        print(f"plumbline {identity()}")
        return 0
    command = COMMANDS.get(argv[0])
    if command is None:
        what = "option" if argv[0].startswith("-") else "subcommand"
        known = [*COMMANDS, "--help", "--version"]
        raise UsageError(
            f"unknown {what} {argv[0]!r}",
            f"{near_miss(argv[0], known)}\nsubcommands: {', '.join(COMMANDS)}".lstrip(),
        )
    code = importlib.import_module(command.module).main(argv[1:])
    if not isinstance(code, int):
        raise TypeError(f"{command.module}.main returned {code!r}, not an exit code")
    return code


def usage() -> str:
    """Return the text of `./plumbline --help`."""
    subcommands = "\n".join(f"  {name:<10} {command.summary}" for name, command in COMMANDS.items())
    exit_codes = "\n".join(f"  {code:<5} {meaning}" for code, meaning in EXIT_MEANINGS.items())
    return (
        "usage: ./plumbline SUBCOMMAND [OPTIONS]\n\n"
        "Builds documented KVM networks, boots throwaway guests on them, and decides with packets\n"
        "whether each network conforms to its documentation.\n\n"
        f"subcommands:\n{subcommands}\n\n{EXAMPLES}\nexit codes:\n{exit_codes}"
    )
