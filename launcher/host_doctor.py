# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline doctor --host local`: what of a host that outlives its runs is in their way."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from contracts.exit_codes import EXIT_CONFORMS, EXIT_MISSING_CAPABILITY
from fixtures.host.obstacles.host_obstacles import host_obstacles
from fixtures.host.obstacles.obstacle import Level, Obstacle, in_the_way, note, ok
from launcher import tool_probes
from launcher.colours import Colour, painter
from launcher.finding import Finding, State
from launcher.lab_detection import has_libraries
from launcher.launcher_error import UsageError
from launcher.wrapped import wrapped

SCHEMA = "plumbline/doctor-host/1"
COLOURS = {
    Level.OK: Colour.GREEN,
    Level.NOTE: Colour.YELLOW,
    Level.IN_THE_WAY: Colour.RED,
}
INDENT = " " * 12
# In the environment of doctor in a host that is booted for it: the options of a run on that.
ASKED_FOR = "PLUMBLINE_DOCTOR_FOR"
# Whatever refuses a run comes first.
ORDER = (Level.IN_THE_WAY, Level.NOTE, Level.OK)


def local(*, as_json: bool) -> int:
    """Look at this machine, print what is found, and return 0 or, if a run is refused, 11.

    Raises:
        UsageError: no root.
    """
    if os.geteuid() != 0:
        raise UsageError(
            "doctor --host local needs root: it reads packet filters, libvirt and Open vSwitch",
            "sudo ./plumbline doctor --host local",
        )
    found = [*set_up(), *host_obstacles()]
    code = exit_code(found)
    # A closed pipe (`| head`) is no error.
    with contextlib.suppress(BrokenPipeError):
        if as_json:
            print(json.dumps(_as_json(found, code), indent=2))
        else:
            render(found, sys.stdout)
    return code


def staged(release: str | None, profile: str | None, *, as_json: bool) -> int:
    """Boot a staged host, and return what `local` returns in it.

    Raises:
        UsageError: no root, no such release or profile.
        LauncherError: the host could not be built or booted.
    """
    # Imported here: this machine itself needs none of it.
    from launcher import setup
    from launcher.pytest_command import ROOT
    from launcher.staged import profile as profiles
    from launcher.staged import root_folder
    from launcher.staged.staging import VARIABLES
    from launcher.staged.staging import staged as boots

    setup.require_root("doctor --host staged")
    known = root_folder.require_known(release or root_folder.DEFAULT)
    wanted = profiles.load(profile or profiles.DEFAULT)
    wanted.require(known)
    words = inside("staged", known, wanted.word, ROOT / "plumbline", as_json=as_json)
    with boots(known, wanted, []) as host:
        return subprocess.run(host.argv(words, VARIABLES), check=False).returncode


def inside(host: str, release: str, profile: str, plumbline: Path, *, as_json: bool) -> list[str]:
    """Return the command by which doctor looks at a host from within.

    Args:
        host: the kind of host, by the word of `--host`.
        release: the host's.
        profile: the host's, by the word of `--profile`.
        plumbline: the launcher, as the host sees it.
        as_json: whether the findings are to be JSON.
    """
    asked_for = f"{ASKED_FOR}=--host {host} --release {release} --profile {profile}"
    words = ["env", asked_for, "python3", str(plumbline), "doctor", "--host", "local"]
    return [*words, "--json"] if as_json else words


def set_up() -> Iterator[Obstacle]:
    """Give what a run would first make of its own, or install."""
    yield _before_a_run("system packages", tool_probes.other_tools())
    if has_libraries():
        yield ok("libraries", "the Python of this host has them")
    else:
        yield _before_a_run("libraries", tool_probes.virtual_environment())
    yield _before_a_run("guest image", tool_probes.guest_image())
    room = tool_probes.disk_space()
    if room.state == State.YES:
        yield ok("disk space", room.detail)
    else:
        yield in_the_way("disk space", room.detail, "set-up refuses every run", room.fix)


def _before_a_run(subject: str, finding: Finding) -> Obstacle:
    if finding.state == State.YES:
        return ok(subject, finding.detail)
    effect = "the next run, not its --plan, sets that up first; it starts no service"
    return note(subject, finding.detail, effect, finding.fix)


def exit_code(found: Sequence[Obstacle]) -> int:
    """Return 11 if something is in the way, else 0."""
    refused = any(each.level == Level.IN_THE_WAY for each in found)
    return EXIT_MISSING_CAPABILITY if refused else EXIT_CONFORMS


def _as_json(found: Sequence[Obstacle], code: int) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "host": "local",
        "clear": code == EXIT_CONFORMS,
        "findings": [asdict(each) for each in found],
    }


def render(found: Sequence[Obstacle], out: TextIO) -> None:
    """Print the findings; colours only on a terminal, and not where NO_COLOR is set."""
    paint = painter(out)
    for level in ORDER:
        for each in (one for one in found if one.level == level):
            print(paint(f"{level:<{len(INDENT)}}", COLOURS[level]), end="", file=out)
            print(wrapped(f"{each.subject}: {each.what}", INDENT), file=out)
            if each.effect:
                print(INDENT + wrapped(f"effect: {each.effect}", INDENT), file=out)
            if each.fix:
                print(paint(INDENT + wrapped(f"fix: {each.fix}", INDENT), Colour.DIM), file=out)
    print(file=out)
    print(wrapped(conclusion(found), ""), file=out)


def conclusion(found: Sequence[Obstacle]) -> str:
    """Return the closing line: is a run in order, and if not, why."""
    subjects = dict.fromkeys(each.subject for each in found if each.level == Level.IN_THE_WAY)
    if subjects:
        return f"In the way of a run on this host: {', '.join(subjects)}."
    options = os.environ.get(ASKED_FOR, "--host local")
    return (
        "Nothing is in the way of a run on this host. First its plan: "
        f"sudo ./plumbline run {options} --plan"
    )
