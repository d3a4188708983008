# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody else's guest during a run on its host: how many of its packets are lost.

    python -m benchmarks.bystander [--profile NAME|FILE] [--release NAME] [-- OPTIONS OF THE RUN]

The guest sends 50 pings a second to the outside, and holds a TCP stream to it, from before the run
until after its end. Without options the run is one of all topologies. Ends with 1 if a ping was
lost or the stream broke, or HR-01 does not conform.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from launcher.staged import profile, root_folder
from tests.undisturbed import run_beside

# All topologies, one after the other, on a machine with other work.
DEADLINE_S = 7200.0
HOST_CHECK = "host_as_it_was.host_is_as_it_was"


def main(argv: Sequence[str]) -> int:
    """Make the run, print, and return 1 if the guest or the host was disturbed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bystander")
    parser.add_argument("--profile", default=profile.DEFAULT)
    parser.add_argument("--release", default=root_folder.DEFAULT)
    own, words = (list(argv), [])
    if "--" in own:
        own, words = own[: own.index("--")], own[own.index("--") + 1 :]
    options = parser.parse_args(own)
    wanted = profile.load(options.profile)
    if not wanted.bystander:
        raise SystemExit(f"--profile {options.profile}: it has no guest; name one with a bystander")
    seen = run_beside(options.release, wanted, words, DEADLINE_S)
    made = ", ".join(f"{n} {name}" for name, n in Counter(seen.verdicts.values()).items())
    print(f"the run ended with {seen.status}: {made}")
    print(f"HR-01: {seen.verdicts[HOST_CHECK]}")
    print(f"pings: {seen.received} of {seen.sent} answered (the last is on its way)")
    print(f"TCP stream: {'goes on' if seen.streams else 'broke'}")
    return 0 if seen.is_undisturbed and seen.verdicts[HOST_CHECK] == "conforms" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
