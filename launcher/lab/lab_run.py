# SPDX-License-Identifier: GPL-2.0-or-later
"""A run in a lab, or doctor: the folders that it sees of this machine, its begin and its end."""

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from contracts.run_files import LAB_CONSOLE
from contracts.run_options import NIC_OPTIONS
from launcher import firewall_backend, host_doctor, inner_record, seen_folders, setup
from launcher.lab import disk_image, lab_machine, qemu
from launcher.lab.job import Share
from launcher.lab.lab_parts import LabParts, lab_parts
from launcher.launcher_error import UsageError
from launcher.progress import Progress
from launcher.pytest_command import ROOT, pytest_argv
from launcher.staged import profile
from launcher.staged.expected_file import expected_file
from launcher.staged.profile import Profile


def run(options: argparse.Namespace, words: Sequence[str], command: Sequence[str]) -> int:
    """Run pytest with these options and words in a lab, and return its exit status.

    Args:
        options: the options of a run, all of them.
        words: pytest's own words, passed on unchanged.
        command: the command as typed, for the record.

    Raises:
        LauncherError: the lab could not be built or booted, or it ended too early.
    """
    release = disk_image.require_known(options.release or disk_image.DEFAULT)
    _refuse_what_a_lab_has_itself(options)
    firewall_backend.require(release, options.firewall_backend)
    wanted = None if options.profile is None else _profile(options, release)
    seen = seen_folders.named(options)
    progress = Progress()
    parts = lab_parts(release, wanted, progress)
    options.workers = "1"
    _name_nics(options)
    with inner_record.cache_in_use(), inner_record.made(options) as record:
        _say(parts, progress)
        plan = parts.plan(
            ["python3", *pytest_argv(options, words, command)],
            record / LAB_CONSOLE,
            seen,
            [Share("record", record, writable=True)],
            options.firewall_backend,
        )
        return lab_machine.run(plan, parts.emulator, progress)


def doctor(release: str | None, word: str | None, *, as_json: bool) -> int:
    """Boot a lab with a profile, and return what `doctor --host local` returns in it.

    Raises:
        UsageError: no root, no profile, or no such one.
        LauncherError: the lab could not be built or booted.
    """
    if word is None:
        raise UsageError(
            "doctor --host lab: a lab without a profile is an empty host, with nothing in the way",
            f"name its --profile, one of {', '.join(profile.names())}",
        )
    setup.require_root("doctor --host lab")
    known = disk_image.require_known(release or disk_image.DEFAULT)
    wanted = profile.load(word)
    wanted.require(known)
    progress = Progress()
    parts = lab_parts(known, wanted, progress)
    words = host_doctor.inside("lab", known, wanted.word, ROOT / "plumbline", as_json=as_json)
    # A lab that fails leaves its console there, which the error names.
    folder = Path(tempfile.mkdtemp(prefix="plumbline-lab-"))
    with inner_record.cache_in_use():
        _say(parts, progress)
        plan = parts.plan(words, folder / LAB_CONSOLE)
        status = lab_machine.run(plan, parts.emulator, progress)
    shutil.rmtree(folder)
    return status


def _say(parts: LabParts, progress: Progress) -> None:
    progress(
        f"lab: {parts.shown} boots, under {parts.accel}; its NICs lead nowhere but to one another"
    )


def _profile(options: argparse.Namespace, release: str) -> Profile:
    """Return the profile that is asked for, and fill in what the options mean with it.

    Raises:
        UsageError: there is none, or not so; with the reason.
    """
    wanted = profile.load(options.profile)
    wanted.require(release)
    # The release of the file of expected verdicts.
    options.profile, options.release = wanted.word, release
    options.expect_verdicts = expected_file(options, wanted)
    if options.firewall_backend is None:
        return wanted
    text = firewall_backend.settings(options.firewall_backend)
    return replace(wanted, files={**wanted.files, firewall_backend.FILE: text})


def _name_nics(options: argparse.Namespace) -> None:
    """Name the lab's NICs, unless the run is only about networks that the host has."""
    existing = options.network or options.bridge or options.existing
    if not existing or options.topology:
        options.pf, options.peer_nic, options.spare_nic = qemu.PF, qemu.PEER_NIC, qemu.SPARE_NIC


def _refuse_what_a_lab_has_itself(options: argparse.Namespace) -> None:
    if options.workers not in ("auto", "1"):
        raise UsageError(
            f"--workers {options.workers}: a lab is one host, for one topology at a time",
            "leave it out",
        )
    for option in NIC_OPTIONS:
        if (nic := getattr(options, option.name)) is not None:
            raise UsageError(f"{option.flag} {nic}: a lab brings its NICs along", "leave it out")
    for flag, given in (
        ("--outside", getattr(options, "outside", None)),
        ("--allow-management-uplink", getattr(options, "allow_management_uplink", False)),
        ("--management-path", getattr(options, "management_path", None)),
    ):
        if given:
            raise UsageError(
                f"{flag}: no machine is on the wire of a lab, and none is logged in to it",
                "leave it out",
            )
