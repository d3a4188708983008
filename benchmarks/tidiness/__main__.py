# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs killed at random moments: what is left of them, and whether the host is as it was.

    python -m benchmarks.tidiness --host staged|sandbox|lab [--kills N] [--seed S] [--output DIR]
        [--way WAY]... [--topology NAME]... [--between FROM TO]
        [--release NAME] [--profile NAME|FILE] [--repeat TRIAL]

`harness`: SIGKILL of the run; its guardian takes its changes back. `both`: of the run and its
guardian, together or the guardian in the middle of its work; then `clean`. `restart`: the staged
host ends as by a power cut, is started anew, then `clean`. In a sandbox `both` is the run and the
first process of the sandbox.

The other ways (`benchmarks.tidiness.strikes`) are misfortunes that a run survives: libvirtd killed,
Open vSwitch restarted, a guest killed, disks full, one Ctrl-C and two, the clock set back. It is to
end with a verdict or a clear error, with a record that is valid and closed, and nothing left.

The seed decides the moments: uniform over the length of a whole run, which is measured first. The
phase of the run at that moment is that of its record. Each trial is a line of DIR/trials.jsonl at
once, so a series that was interrupted goes on with the same command. `--repeat` makes one trial
again, with a table of its own. Ends with 1 if something was left.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.tidiness.host_series import lab_series, staged_series
from benchmarks.tidiness.in_host import CLAIMS
from benchmarks.tidiness.sandbox_series import sandbox_series
from benchmarks.tidiness.strikes import STRIKES
from benchmarks.tidiness.table import table
from benchmarks.tidiness.trials import KILLS, RESULTS, Order, orders, read

# A lab is one boot, and nothing of it is on a disk.
STAYING = [way for way, kill in KILLS.items() if not kill.restarts_host]
KILLS_OF = {"staged": list(KILLS), "sandbox": STAYING, "lab": STAYING}


def main(argv: Sequence[str]) -> int:
    """Make a series, print its table, and return 1 if a trial was not tidy."""
    options = _options(argv)
    ways = options.way or KILLS_OF[options.host]
    for way in ways:
        hosts = (
            STRIKES[way].hosts if way in STRIKES else [h for h in KILLS_OF if way in KILLS_OF[h]]
        )
        if options.host not in hosts:
            raise SystemExit(f"--way {way}: not with --host {options.host}")
    between = (options.between[0], options.between[1])
    wanted = orders(options.seed, options.kills, ways, options.topology or ["nat"], between)
    wanted = [_fitting(order) for order in wanted]
    folder = (options.output or Path("runs", f"tidiness-{options.host}-{options.seed}")).resolve()
    if options.repeat is not None:
        wanted = [_repeated(folder, options.repeat)]
        folder /= f"repeat-{options.repeat}-{len(list(folder.glob('repeat-*')))}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _make(options, folder, wanted)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
    trials = read(folder / RESULTS)
    print(table(trials))
    return 0 if all(trial.is_tidy for trial in trials) else 1


def _make(options: argparse.Namespace, folder: Path, wanted: Sequence[Order]) -> None:
    release = options.release or {"staged": "bookworm"}.get(options.host, "trixie")
    if options.host == "sandbox":
        sandbox_series(folder, wanted)
    elif options.host == "lab":
        lab_series(folder, wanted, release)
    else:
        # A host that is restarted keeps its changes; the other ways need none of that.
        for kept in (False, True):
            if part := [order for order in wanted if order.restarts_host == kept]:
                staged_series(folder, part, release, options.profile)


def _fitting(order: Order) -> Order:
    """Return an order with the topology that its way needs."""
    needed = STRIKES[order.way].topology if order.way in STRIKES else ""
    return replace(order, topology=needed) if needed else order


def _repeated(folder: Path, number: int) -> Order:
    for trial in read(folder / RESULTS):
        if trial.order.trial == number:
            # A run that is as long as that one has its moment there.
            return replace(trial.order, fraction=round(trial.moment_s / trial.whole_s, 4))
    raise SystemExit(f"--repeat {number}: {folder / RESULTS} has no such trial")


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tidiness")
    parser.add_argument("--host", choices=sorted(KILLS_OF), default="staged")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--way", action="append", choices=(*KILLS, *STRIKES))
    parser.add_argument("--topology", action="append", choices=sorted(CLAIMS))
    parser.add_argument("--between", type=float, nargs=2, default=[0.0, 1.0])
    parser.add_argument("--release")
    parser.add_argument("--profile")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--repeat", type=int, metavar="TRIAL")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
