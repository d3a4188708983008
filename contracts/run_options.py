# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of a run, declared once: the launcher's subcommands and pytest take the same ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from contracts.exit_codes import EXIT_MISSING_CAPABILITY
from contracts.run_files import LATEST_RUN, RUNS

RUN, PROVE = "run", "prove"
BOTH = (RUN, PROVE)


def comma_separated(word: str) -> list[str]:
    """Return the names in a value such as `ovs-kernel, kvm`."""
    return [name for each in word.split(",") if (name := each.strip())]


@dataclass(frozen=True, slots=True)
class RunOption:
    """One option, in argparse's terms.

    Attributes:
        name: the attribute that has its value, in both parsers and in `RunSettings`.
        help: what it means.
        metavar: what a value is; empty for a switch.
        action: what argparse does with it.
        type: what reads a value.
        default: what holds without it.
        choices: all values that it may have; empty: any.
        subcommands: those of the launcher's that have it.
        rerun: whether it belongs into the command that makes a check again.
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

    @property
    def flag(self) -> str:
        """The option as it is typed."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def takes_value(self) -> bool:
        """Whether a value follows it."""
        return self.action != "store_true"

    def declaration(self) -> dict[str, Any]:
        """Return what argparse's and pytest's parsers take beside the flag."""
        default = list(self.default) if isinstance(self.default, tuple) else self.default
        declared: dict[str, Any] = {"action": self.action, "default": default, "help": self.help}
        if self.takes_value:
            declared |= {"metavar": self.metavar, "type": self.type}
        if self.choices:
            declared["choices"] = self.choices
        return declared

    def is_default(self, value: Any) -> bool:
        """Whether this is what holds without the option."""
        return (tuple(value) if isinstance(value, list) else value) == self.default

    def argv(self, value: Any) -> list[str]:
        """Return the words that give it this value; none for the default.

        Value and flag are one word: a value may begin with a dash.
        """
        if self.is_default(value):
            return []
        if not self.takes_value:
            return [self.flag]
        values = value if isinstance(value, list | tuple) else [value]
        return [f"{self.flag}={each}" for each in values]


RUN_OPTIONS = (
    # Of pytest alone: for the launcher it is a subcommand.
    RunOption(
        "prove",
        "break each topology on purpose",
        action="store_true",
        default=False,
        subcommands=(),
    ),
    RunOption(
        "fault",
        "a shipped fault or a YAML file of faults; repeatable; by default all shipped ones",
        metavar="ID|FILE",
        action="append",
        default=(),
        subcommands=(PROVE,),
    ),
    RunOption(
        "part",
        "of these faults, only every N-th from the I-th on; CI takes one of three parts",
        metavar="I/N",
        default="1/1",
        subcommands=(PROVE,),
    ),
    RunOption(
        "topology",
        "a shipped topology or a YAML file; repeatable; by default all that are shipped",
        metavar="NAME|FILE",
        action="append",
        default=(),
    ),
    RunOption(
        "host",
        "the host under test: namespaces of this machine, a virtual machine with an IOMMU and "
        "an SR-IOV NIC, or this machine itself",
        metavar="sandbox|lab|local",
        choices=("sandbox", "lab", "local"),
        default="sandbox",
        rerun=True,
    ),
    RunOption(
        "pf", "the SR-IOV NIC whose functions guests get (passthrough)", metavar="NIC", rerun=True
    ),
    RunOption(
        "peer_nic",
        "a NIC on the same wire, which the outside gets meanwhile",
        metavar="NIC",
        rerun=True,
    ),
    RunOption(
        "spare_nic",
        "a NIC on that wire that a guest may be given as it is",
        metavar="NIC",
        rerun=True,
    ),
    RunOption(
        "release",
        "what the host runs: a release of Debian's, or for a sandbox a root folder; by "
        "default this machine's own, in a lab trixie",
        metavar="NAME|DIR",
        rerun=True,
    ),
    RunOption(
        "firewall_backend",
        "what libvirt (10.4 and newer) writes its rules with; by default its own choice",
        metavar="iptables|nftables",
        choices=("iptables", "nftables"),
        rerun=True,
    ),
    RunOption(
        "accel",
        "how guests run; auto takes kvm where a guest proves to boot under it",
        metavar="auto|kvm|tcg",
        choices=("auto", "kvm", "tcg"),
        default="auto",
        rerun=True,
    ),
    RunOption(
        "output",
        f"a new or empty folder for the record; by default {RUNS}/TIME, and {LATEST_RUN} to it",
        metavar="DIR",
        type=Path,
    ),
    RunOption(
        "claim",
        "only the checks that decide this claim; repeatable",
        metavar="ID",
        action="append",
        default=(),
        subcommands=(RUN,),
    ),
    RunOption(
        "after_build",
        "run CMD with sh -c in the host when a topology is up, before its checks",
        metavar="CMD",
        subcommands=(RUN,),
        rerun=True,
    ),
    RunOption(
        "expect",
        f"capabilities whose absence fails the run (exit {EXIT_MISSING_CAPABILITY})",
        metavar="CAP,...",
        action="extend",
        type=comma_separated,
        default=(),
        subcommands=(RUN,),
    ),
    RunOption(
        "samples",
        "samples of each quantity that is measured, and one before them in case it is cold; "
        "compare needs about 7 of each",
        metavar="N",
        type=int,
        subcommands=(RUN,),
        rerun=True,
    ),
    RunOption(
        "interleave",
        "take quantities by turns instead of one after the other, so that drift hits all",
        action="store_true",
        default=False,
        subcommands=(RUN,),
        rerun=True,
    ),
)


def options_of(subcommand: str) -> Iterator[RunOption]:
    """Return the options that a subcommand of the launcher has."""
    return (option for option in RUN_OPTIONS if subcommand in option.subcommands)
