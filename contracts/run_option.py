# SPDX-License-Identifier: GPL-2.0-or-later
"""One option of a run, in the terms of argparse's and pytest's parsers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

RUN, PROVE = "run", "prove"
BOTH = (RUN, PROVE)


def absolute(word: str) -> str:
    """Return a path that holds in every folder."""
    return str(Path(word).absolute())


def comma_separated(word: str) -> list[str]:
    """Return the names in a value such as `ovs-kernel, kvm`."""
    return [name for each in word.split(",") if (name := each.strip())]


@dataclass(frozen=True, slots=True)
class RunOption:
    """One option, in argparse's terms.

    Attributes:
        name: the attribute of its value, in both parsers and in `RunSettings`.
        help: its meaning.
        metavar: the name of a value in `--help`; empty for a switch.
        action: argparse's action.
        type: the function that reads a value.
        default: its value when it is not given.
        choices: all possible values; empty: any.
        subcommands: the launcher's subcommands that have it.
        rerun: whether the command that reruns a check has it.
        names_a_nic: its value is a NIC of the host's.
        selects: with it a run leaves checks out on purpose, and its record says so.
    """

    name: str
    help: str
    metavar: str = ""
    action: Literal["store", "store_true", "append", "extend"] = "store"
    type: Callable[[str], Any] = str
    default: str | bool | tuple[str, ...] | None = None
    choices: tuple[str, ...] = ()
    subcommands: tuple[str, ...] = BOTH
    rerun: bool = False
    names_a_nic: bool = False
    selects: bool = False

    @property
    def flag(self) -> str:
        """The option as typed."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def takes_value(self) -> bool:
        """Whether a value follows it."""
        return self.action != "store_true"

    def declaration(self) -> dict[str, Any]:
        """Return the arguments of argparse's and pytest's parsers beside the flag."""
        default = list(self.default) if isinstance(self.default, tuple) else self.default
        declared: dict[str, Any] = {"action": self.action, "default": default, "help": self.help}
        if self.takes_value:
            declared |= {"metavar": self.metavar, "type": self.type}
        if self.choices:
            declared["choices"] = self.choices
        return declared

    def is_default(self, value: Any) -> bool:
        """Whether this is the value without the option."""
        return (tuple(value) if isinstance(value, list) else value) == self.default

    def argv(self, value: Any) -> list[str]:
        """Return the words that set it to this value; none for the default.

        Value and flag are one word: a value may begin with a dash.
        """
        if self.is_default(value):
            return []
        if not self.takes_value:
            return [self.flag]
        values = value if isinstance(value, list | tuple) else [value]
        return [f"{self.flag}={each}" for each in values]
