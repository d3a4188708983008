# SPDX-License-Identifier: GPL-2.0-or-later
"""A run in a staged host: the folders that it sees of this machine, its begin and its end."""

import argparse
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from contracts.exit_codes import EXIT_INTERRUPTED
from launcher import firewall_backend, inner_record, seen_folders, watched_run
from launcher.launcher_error import UsageError
from launcher.pytest_command import ROOT, pytest_argv
from launcher.staged import profile, root_folder
from launcher.staged.entered import wait
from launcher.staged.expected_file import expected_file
from launcher.staged.staged_host import Share, StagedFailed, StagedHost
from launcher.staged.staging import VARIABLES, StateOrder, staged

# After an interrupt the harness takes its topology down.
END_DEADLINE_S = 180.0


def run(options: argparse.Namespace, words: Sequence[str], command: Sequence[str]) -> int:
    """Run pytest with these options and words in a staged host, and return its exit status.

    Args:
        options: the options of a run, all of them.
        words: pytest's own words, passed on unchanged.
        command: the command as typed, for the record.

    Raises:
        LauncherError: the host could not be built or booted, or it ended too early.
    """
    options.release = release = root_folder.require_known(options.release or root_folder.DEFAULT)
    wanted = profile.load(options.profile or profile.DEFAULT)
    wanted.require(release)
    options.profile = wanted.word
    _require_one_worker(options)
    firewall_backend.require(release, options.firewall_backend)
    if options.firewall_backend is not None:
        text = firewall_backend.settings(options.firewall_backend)
        wanted = replace(wanted, files={**wanted.files, firewall_backend.FILE: text})
    options.expect_verdicts = expected_file(options, wanted)
    seen = seen_folders.named(options)
    options.workers = "1"
    with inner_record.made(options) as record:
        shares = [Share(folder) for folder in sorted(seen - {ROOT, record})]
        order = StateOrder(None if options.state is None else Path(options.state))
        with staged(release, wanted, [*shares, Share(record, writable=True)], order) as host:
            columns = str(shutil.get_terminal_size((100, 24)).columns)
            argv = ["python3", *pytest_argv(options, words, command)]
            return _run_in(host, argv, VARIABLES | {"COLUMNS": columns})


def _require_one_worker(options: argparse.Namespace) -> None:
    if options.workers not in ("auto", "1"):
        raise UsageError(
            f"--workers {options.workers}: a staged host is one host, for one topology at a time",
            "leave it out",
        )


def _run_in(host: StagedHost, command: Sequence[str], variables: dict[str, str]) -> int:
    """Run the harness; an interrupt of ours is the harness's, a second one ends the host.

    Raises:
        StagedFailed: the harness, or the host with it, was killed.
    """
    began = time.time()
    # nsenter waits for the command, and is not to end before it.
    argv = ["env", "--ignore-signal=INT", *host.argv(command, variables, Path.cwd())]
    with subprocess.Popen(argv, start_new_session=True) as harness:
        try:
            status = _waited(harness)
        finally:
            harness.kill()
    if status < 0:
        ask = ["python3", "-P", "-m", "fixtures.host.watchdog", "wait", str(began)]
        watchdog = host.capture(ask, {**variables, "PYTHONPATH": str(ROOT)}, END_DEADLINE_S)
        if watchdog.returncode == 0 and (verdict := watchdog.stdout.strip()):
            return watched_run.ended(status, verdict)
        raise StagedFailed(
            f"the run in the staged host was ended by {signal.Signals(-status).name}; the record "
            "has the verdicts until then"
        )
    return status


def _waited(harness: subprocess.Popen[bytes]) -> int:
    try:
        return wait(harness)
    except KeyboardInterrupt:
        os.killpg(harness.pid, signal.SIGINT)
    try:
        return harness.wait(END_DEADLINE_S)
    except subprocess.TimeoutExpired:
        return EXIT_INTERRUPTED
