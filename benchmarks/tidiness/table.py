# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of a series: by way of ending and phase of the run."""

from collections.abc import Sequence

from benchmarks.tidiness.phases import PHASES
from benchmarks.tidiness.strikes import STRIKES
from benchmarks.tidiness.trials import KILLS, Trial

HEADS = (
    *("host", "way", "phase", "trials", "left", "differs", "record wrong", "end wrong"),
    *("exit codes", "taken back, s"),
)
LINES_MAX = 12


def table(trials: Sequence[Trial]) -> str:
    """Return the table, in Markdown, and the failures below it, each with its moment."""
    rows = [
        _row(host, way, phase, those)
        for host in sorted({trial.host for trial in trials})
        for way in (*KILLS, *STRIKES)
        for phase in PHASES
        if (those := [t for t in trials if (t.host, t.order.way, t.phase) == (host, way, phase)])
    ]
    rows.append(_row("all", "", "", trials))
    lines = [_line(HEADS), _line(["---"] * len(HEADS)), *map(_line, rows)]
    for trial in trials:
        if not trial.is_tidy:
            lines += ["", *_described(trial)]
    return "\n".join(lines)


def _row(host: str, way: str, phase: str, trials: Sequence[Trial]) -> list[str]:
    times = sorted(trial.taken_back_s for trial in trials)
    return [
        host,
        way,
        phase,
        str(len(trials)),
        str(sum(1 for trial in trials if trial.left)),
        str(sum(1 for trial in trials if trial.differs)),
        str(sum(1 for trial in trials if trial.record)),
        str(sum(1 for trial in trials if trial.wrong)),
        " ".join(map(str, sorted({t.status for t in trials if t.status is not None}))),
        f"{times[len(times) // 2]:.1f}, at most {times[-1]:.1f}" if times else "",
    ]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _described(trial: Trial) -> list[str]:
    order = trial.order
    wrong = [trial.record] if trial.record else []
    found = [*trial.wrong, *wrong, *trial.left, *trial.differs]
    how = f"{order.way}, {order.delay_s:g} s apart" if order.delay_s else order.way
    where = f"{order.topology}, {trial.moment_s:.1f} s of {trial.whole_s:.1f} s, {trial.phase}"
    head = f"trial {order.trial} ({trial.host}, {how}): {where}"
    more = len(found) - LINES_MAX
    rest = [f"    … and {more} lines more"] if more > 0 else []
    return [head, *(f"    {line}" for line in found[:LINES_MAX]), *rest]
