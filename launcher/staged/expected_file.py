# SPDX-License-Identifier: GPL-2.0-or-later
"""The file of the verdicts that are expected of a profile, by the word of `--expect-verdicts`."""

import argparse

from launcher.launcher_error import UsageError
from launcher.staged.profile import Profile
from topologies import cli_names
from topologies.data_error import DataError

WORD = "profile"
# With these a run is about another host, or decides what a run without them does not.
REFUSED = (
    *("after_build", "disruptive", "firewall_backend", "uplink"),
    *("network", "bridge", "existing"),
)


def expected_file(options: argparse.Namespace, profile: Profile) -> str | None:
    """Return the path of the file; its content is checked in the run. None: none is named.

    Raises:
        UsageError: there is no such file, or the run is not comparable with it.
    """
    word: str | None = options.expect_verdicts
    if word is None:
        return None
    for name in REFUSED:
        if getattr(options, name):
            raise UsageError(
                f"--expect-verdicts: the verdicts are those of a run without --"
                f"{name.replace('_', '-')}",
                "leave one of the two out",
            )
    if word != WORD:
        file = word
    elif profile.verdicts is None or not profile.verdicts.is_file():
        raise UsageError(
            f"--expect-verdicts profile: the profile {profile.name} has no {profile.verdicts}",
            "write it (docs/staged.md has the format), or name another file",
        )
    else:
        file = str(profile.verdicts)
    try:
        cli_names.require_yaml(file)
    except DataError as error:
        raise UsageError(f"--expect-verdicts: {error}") from error
    return file
