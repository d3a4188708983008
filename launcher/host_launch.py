# SPDX-License-Identifier: GPL-2.0-or-later
"""Each kind of host to the launcher: how a run on it starts, and doctor."""

import argparse
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import MappingProxyType
from typing import ClassVar, Final

from contracts.host_kinds import HOST_KINDS, host_kind
from contracts.run_option import PROVE
from launcher import host_doctor, release, sandbox_doctor, setup, watched_run
from launcher.lab import lab_run
from launcher.lab_detection import is_lab
from launcher.launcher_error import UsageError
from launcher.pytest_command import ROOT, auto_workers, hand_over, pytest_argv
from launcher.staged import staged_run


class HostLaunch(ABC):
    """How a run with one kind of host is started.

    Attributes:
        kind: the word of `--host`.
        keeps_faults: state left by a fault stays on the host; so only passthrough is broken there.
    """

    kind: ClassVar[str]
    keeps_faults: ClassVar[bool] = True

    def require(self, subcommand: str, options: argparse.Namespace) -> None:
        """Refuse options that this kind of host does not take, and fill in its fixed ones.

        Raises:
            UsageError: an option does not fit.
        """
        del subcommand
        kind = host_kind(self.kind)
        for name, has in (
            ("profile", kind.has_profiles),
            ("expect_verdicts", kind.has_profiles),
            ("state", kind.is_kept),
        ):
            if getattr(options, name) is not None and not has:
                flag = f"--{name.replace('_', '-')}"
                words = [each.word for each in HOST_KINDS if each.has_profiles]
                meant = " or ".join(words) if name != "state" else "staged"
                raise UsageError(
                    f"{flag}: not with --host {self.kind}", f"it is for --host {meant}"
                )

    def workers(self, options: argparse.Namespace, builds: int) -> int:
        """Return the number of topologies built at once; on one host it is one.

        Args:
            options: `--workers` among them.
            builds: the number of topologies to build, at least.
        """
        del builds
        return 1 if options.workers == "auto" else int(options.workers)

    def start(
        self,
        options: argparse.Namespace,
        words: Sequence[str],
        command: Sequence[str],
        workers: int,
    ) -> int:
        """Set up missing parts on this machine, and become pytest, or return its exit status."""
        return _start_here(options, words, command, workers)

    @property
    def is_this_machine(self) -> bool:
        """Whether an upgrade of the host is one of this machine."""
        return True

    def upgrade_argv(
        self, options: argparse.Namespace, command: Sequence[str], fetched: str | None
    ) -> tuple[str, ...]:
        """Return a command between two runs, as this machine runs it for the host.

        Args:
            options: of both runs.
            command: the command on the host; empty: there is none.
            fetched: the release of which a staged host is to have the packages.

        Raises:
            UsageError: nothing of the host is there after a run.
        """
        del options
        if fetched is not None:
            raise UsageError("--fetch-upgrade: it is for --host staged", "leave it out")
        return tuple(command)

    @abstractmethod
    def doctor(self, options: argparse.Namespace) -> int:
        """Look at the host before a run, print what is found, and return the exit code.

        Args:
            options: those of `doctor`.

        Raises:
            UsageError: it has nothing to look at.
        """


class SandboxLaunch(HostLaunch):
    """Sandboxes, several at once for each core of the machine."""

    kind = "sandbox"
    keeps_faults = False

    def require(self, subcommand: str, options: argparse.Namespace) -> None:
        """See `HostLaunch.require`: it has only what it makes."""
        super().require(subcommand, options)
        if names_existing(options):
            raise UsageError(
                "--network, --bridge and --existing name networks that the host has; a sandbox "
                "has none",
                "sudo ./plumbline run --host local --network NAME",
            )

    def workers(self, options: argparse.Namespace, builds: int) -> int:
        """See `HostLaunch.workers`: never more than there are topologies to spread."""
        if options.workers != "auto":
            return int(options.workers)
        return auto_workers(builds)

    def doctor(self, options: argparse.Namespace) -> int:
        """See `HostLaunch.doctor`: what this machine can test in sandboxes."""
        return sandbox_doctor.sandbox(as_json=options.json)


class LocalLaunch(HostLaunch):
    """This machine itself."""

    kind = "local"

    def require(self, subcommand: str, options: argparse.Namespace) -> None:
        """See `HostLaunch.require`: no fault, and for passthrough NICs that are named.

        A lab is disposable, and takes every fault.
        """
        super().require(subcommand, options)
        if is_lab():
            return
        if subcommand == PROVE:
            raise UsageError(
                "--host local: a fault would leave state behind on this machine",
                "./plumbline prove --host lab makes one that is disposable",
            )
        if "passthrough" in options.topology and (options.pf is None or options.peer_nic is None):
            raise UsageError(
                "--host local: name the NICs that passthrough may use: --pf, whose functions "
                "guests get, and --peer-nic, which is on the same wire and becomes the outside's",
                "see ip -br link; ./plumbline run --host lab brings NICs of its own",
            )
        if options.release is not None:
            raise UsageError(
                f"--release {options.release}: this machine runs its own",
                "leave it out, or use --host sandbox or lab",
            )

    def doctor(self, options: argparse.Namespace) -> int:
        """See `HostLaunch.doctor`: what of this machine is in the way of a run on it."""
        return host_doctor.local(as_json=options.json)


class LabLaunch(HostLaunch):
    """A virtual machine that is started for the run."""

    kind = "lab"

    def upgrade_argv(
        self, options: argparse.Namespace, command: Sequence[str], fetched: str | None
    ) -> tuple[str, ...]:
        """See `HostLaunch.upgrade_argv`: each run has a new machine."""
        del options, command, fetched
        raise UsageError("--host lab: each run has a machine of its own", "--host staged is kept")

    def require(self, subcommand: str, options: argparse.Namespace) -> None:
        """See `HostLaunch.require`: with a profile it is as a machine with other users."""
        super().require(subcommand, options)
        if options.profile is not None:
            if subcommand == PROVE:
                raise UsageError(
                    "--profile: a lab with a profile is handled as a machine with other users, on "
                    "which a fault would leave state behind",
                    "leave it out",
                )
            return
        if options.plan:
            raise UsageError(
                "--plan: a lab is made for the run, and ends with everything in it",
                "leave it out, or name a --profile",
            )
        if options.expect_verdicts is not None:
            raise UsageError(
                "--expect-verdicts: a lab without a profile has no file of expected verdicts",
                "name its --profile, or leave it out",
            )

    def start(
        self,
        options: argparse.Namespace,
        words: Sequence[str],
        command: Sequence[str],
        workers: int,
    ) -> int:
        """See `HostLaunch.start`: the lab's exit status is pytest's."""
        del workers
        return lab_run.run(options, words, command)

    def doctor(self, options: argparse.Namespace) -> int:
        """See `HostLaunch.doctor`: one with a profile is booted, and looked at from within."""
        return lab_run.doctor(options.release, options.profile, as_json=options.json)


class StagedLaunch(HostLaunch):
    """A Debian in namespaces that is booted for the run."""

    kind = "staged"

    @property
    def is_this_machine(self) -> bool:
        """See `HostLaunch.is_this_machine`: its state is in a folder of this machine."""
        return False

    def upgrade_argv(
        self, options: argparse.Namespace, command: Sequence[str], fetched: str | None
    ) -> tuple[str, ...]:
        """See `HostLaunch.upgrade_argv`: in a host of the same state, which it changes."""
        if options.state is None:
            raise UsageError("--host staged: nothing of the host is kept", "name --state DIR")
        if not command:
            return ()
        words = [str(ROOT / "plumbline"), "stage", "--state", options.state]
        words += [] if options.release is None else ["--release", options.release]
        words += [] if options.profile is None else ["--profile", options.profile]
        words += [] if fetched is None else ["--fetch-upgrade", fetched]
        return (*words, "--", *command)

    def require(self, subcommand: str, options: argparse.Namespace) -> None:
        """See `HostLaunch.require`: faults are not for a host with other users."""
        super().require(subcommand, options)
        if subcommand == PROVE:
            raise UsageError(
                "--host staged: a staged host is handled as a machine with other users, on which "
                "a fault would leave state behind",
                "./plumbline prove is for --host sandbox and lab",
            )

    def start(
        self,
        options: argparse.Namespace,
        words: Sequence[str],
        command: Sequence[str],
        workers: int,
    ) -> int:
        """See `HostLaunch.start`: the exit status is pytest's."""
        del workers
        return staged_run.run(options, words, command)

    def doctor(self, options: argparse.Namespace) -> int:
        """See `HostLaunch.doctor`: it is booted, and looked at from within."""
        return host_doctor.staged(options.release, options.profile, as_json=options.json)


LAUNCHES: Final = MappingProxyType(
    {each.kind: each for each in (SandboxLaunch(), LabLaunch(), StagedLaunch(), LocalLaunch())}
)


def names_existing(options: argparse.Namespace) -> bool:
    """Whether networks that the host has are asked for."""
    return bool(options.network or options.bridge or options.existing)


def _start_here(
    options: argparse.Namespace, words: Sequence[str], command: Sequence[str], workers: int
) -> int:
    """Set up this machine, and become pytest on it."""
    if options.release is not None:
        options.release = release.require_known(options.release)
    began = time.time()
    interpreter = setup.ensure(options.release, only_look=options.plan)
    argv = [str(interpreter), *pytest_argv(options, words, command, workers)]
    if options.allow_management_uplink and not options.plan:
        return watched_run.run(argv, began)
    return hand_over(argv)
