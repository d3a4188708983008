# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines of a run that goes on: topologies being built, verdicts, running checks."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rich.text import Text

from contracts.language import gettext, word
from contracts.plan import HOST
from contracts.verdicts import Verdict
from reports.record import Check, RunRecord, TopologyRecord
from reports.wording import SEPARATOR, STYLES, both_ends, duration, few, padded

# The parts of a line, in columns.
_GAP = 2
_VERDICT = max(len(verdict) for verdict in Verdict)
_DURATION = 7
_FEW_CLAIMS = 9
_LEAST_ID = 16
# A cut id is still recognised by its ends; below this the claims, which readers look for, go too.
_LEAST_ID_BESIDE_CLAIMS = 24


@dataclass(frozen=True)
class Columns:
    """How wide each part of a check's line is; `whole` parts are padded to it and never cut."""

    counter: int = 1
    topology: int = 12
    check: int = 30
    claims: int = _FEW_CLAIMS
    whole: bool = False

    @property
    def indent(self) -> str:
        """The blanks before a line without a count, as wide as `[ 37/162] `."""
        return " " * (2 * self.counter + 4)


def columns(record: RunRecord, width: int, *, whole: bool = False) -> Columns:
    """Choose the columns so that every line of this run fits into `width`.

    Claims give way first (`NT-08 +2`), then the ids of the checks are cut; where little would be
    left of those, the claims are left out.

    Args:
        record: the run as planned.
        width: of the terminal.
        whole: it is no terminal: the columns are aligned for `width`, and what is longer is longer.
    """
    counter = len(str(len(record.checks)))
    topology = max((len(check.topology) for check in record.checks), default=1)
    check = max((len(check.label) for check in record.checks), default=1)
    claims = max((len(" ".join(check.claims)) for check in record.checks), default=1)
    fixed = 2 * counter + 4 + topology + _VERDICT + _DURATION + 4 * _GAP
    room = width - fixed
    if check + claims > room:
        claims = min(claims, max(_FEW_CLAIMS, room - check))
    if not whole and room - claims < min(check, _LEAST_ID_BESIDE_CLAIMS):
        claims = 0
        room += _GAP
    return Columns(counter, topology, min(check, max(_LEAST_ID, room - claims)), claims, whole)


def check_line(check: Check, progress: tuple[int, int], widths: Columns) -> Text:
    """Return `[ 37/162] nat  dhcp.lease_in_range  NT-05  conforms  0.3 s`."""
    done, planned = progress
    gap = " " * _GAP
    line = Text(f"[{done:>{widths.counter}}/{planned}] ", style="dim")
    line.append(f"{check.topology:<{widths.topology}}{gap}", style="default not dim")
    name, claims = check.label, " ".join(check.claims)
    if not widths.whole:
        name, claims = both_ends(name, widths.check), few(check.claims, widths.claims)
    line.append(f"{name:<{widths.check}}{gap}", "default not dim")
    if widths.claims:
        line.append(f"{claims:<{widths.claims}}{gap}")
    verdict = padded(word(check.verdict), _VERDICT)
    line.append(f"{verdict}{gap}", f"{STYLES[check.verdict]} not dim")
    return line.append(f"{duration(check.duration_s):>{_DURATION}}")


def topology_line(name: str, what: str, widths: Columns, style: str = "dim") -> Text:
    """Return a line about a topology: `          nat  up in 3.2 s`."""
    line = Text(f"{widths.indent}{name:<{widths.topology}}{' ' * _GAP}", style=style)
    return line.append(what)


@dataclass
class RunningChecks:
    """What is going on at this moment, for the status line."""

    started: float = field(default_factory=time.monotonic)
    progress: tuple[int, int] = (0, 0)
    _items: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    # Nothing is built for a check of the host itself.
    _up: set[str] = field(default_factory=lambda: {HOST})
    _begun: set[str] = field(default_factory=lambda: {HOST})

    def begins(self, nodeid: str, topology: str, check_id: str) -> bool:
        """Note that a check begins; return whether its topology begins to be built with it."""
        self._items[nodeid] = (topology, check_id, time.monotonic())
        first = topology not in self._begun
        self._begun.add(topology)
        return first

    def is_up(self, topology: str) -> bool:
        """Note that a topology is up, or failed to be; return whether that is news."""
        news = topology not in self._up
        self._up.add(topology)
        return news

    def ends(self, nodeid: str) -> None:
        """Note that a check, or the worker that ran it, is done."""
        self._items.pop(nodeid, None)

    def line(self) -> Text:
        """Return `[ 37/162] 1:42  nat dhcp.lease_in_range 3 s · ovs being built 5 s`."""
        done, planned = self.progress
        now = time.monotonic()
        minutes, seconds = divmod(int(now - self.started), 60)
        count = f"[{done:>{len(str(planned))}}/{planned}] " if planned else ""
        # A copy: the refreshing thread reads while the main one writes.
        current = SEPARATOR.join(self._now(list(self._items.values()), now)) or gettext("preparing")
        return Text(f"{count}{minutes}:{seconds:02}  {current}", style="bold")

    def _now(self, items: Iterable[tuple[str, str, float]], now: float) -> Iterator[str]:
        for topology, check_id, since in items:
            what = check_id if topology in self._up else gettext("being built")
            yield f"{topology} {what} {now - since:.0f} s"


def topology_news(topology: TopologyRecord, *, first: bool) -> tuple[str, str] | None:
    """Return the news of a topology, and its style; None if there is none.

    Args:
        topology: as the record has it now.
        first: nothing was printed of it since its building began.
    """
    if topology.reason and topology.verdict is not Verdict.CONFORMS:
        return topology.reason, STYLES[Verdict.VIOLATES if topology.refused else Verdict.ERROR]
    if topology.teardown_s is not None:
        return gettext("taken down in {time}").format(time=duration(topology.teardown_s)), "dim"
    if first and topology.build_s is not None:
        return gettext("up in {time}").format(time=duration(topology.build_s)), "dim"
    return None
