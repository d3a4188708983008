# SPDX-License-Identifier: GPL-2.0-or-later
"""git, asked about a tree of Plumbline's files."""

import os
import subprocess
from pathlib import Path

# A status of this tree takes some 10 ms; a cold disk may need a second or two.
DEADLINE_S = 10.0


def git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Return the outcome of a git command that changes nothing, in a folder.

    Raises:
        FileNotFoundError: there is no git.
        subprocess.TimeoutExpired: it took too long.
    """
    # A git hook that calls Plumbline sets GIT_DIR, to a repository that isn't ours.
    environment = {name: word for name, word in os.environ.items() if not name.startswith("GIT_")}
    # The tree may be another user's: who asks is running it already.
    argv = ["git", "-c", f"safe.directory={root}", "--no-optional-locks", "-C", str(root), *words]
    return subprocess.run(
        argv, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
