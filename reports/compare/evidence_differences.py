# SPDX-License-Identifier: GPL-2.0-or-later
"""Evidence that differs where a verdict does: rulesets, live XML, configuration, output."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from contracts.language import gettext
from reports.compare.comparison import Effect, EvidenceDifference, Flip
from reports.compare.hunks import hunks
from reports.compare.transcript import COMMANDS, sections
from reports.record import EvidenceFile, RunRecord

# More than one reads; the files themselves are there.
LINES_MAX = 300
# A guest's console and a traceback differ in every run, and explain no flip of the network's.
LEFT_OUT = ("console-", "traceback.txt")
TEXTS = (".txt", ".xml", ".json", ".conf")
# A check that became decided ran new commands: they explain nothing.
EXPLAINED = frozenset({Effect.REGRESSED, Effect.LOST, Effect.FOUND, Effect.MENDED, Effect.WAIVED})
# The results of trials are in the check's measurements.
NOISY = ("iperf3 ", "ping ")


class EvidenceReader:
    """Reads the evidence of a run.

    Attributes:
        notes: files that could not be read, for the reader of the comparison.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.notes: list[str] = []

    def text(self, evidence: EvidenceFile) -> str | None:
        """Return a file's text, or None with a note."""
        place = self._folder / evidence.path
        try:
            raw = place.read_bytes()
        except OSError as error:
            said = gettext("{file}: {error}; its content was not compared")
            self.notes.append(said.format(file=place, error=error.strerror))
            return None
        if hashlib.sha256(raw).hexdigest() != evidence.sha256:
            said = gettext("{file}: it is not what was recorded: its SHA-256 differs")
            self.notes.append(said.format(file=place))
        return raw.decode(errors="replace")


def differences(
    flips: Sequence[Flip],
    before: tuple[RunRecord, EvidenceReader],
    after: tuple[RunRecord, EvidenceReader],
) -> list[EvidenceDifference]:
    """Return what differs in the evidence of each flipped check and, once, of its topology."""
    found: list[EvidenceDifference] = []
    explained = [flip for flip in flips if flip.effect in EXPLAINED]
    for topology in dict.fromkeys(flip.topology for flip in explained):
        was, now = (_of_topology(record, topology) for record, _ in (before, after))
        found += _compared(topology, None, (was, before[1]), (now, after[1]))
    for flip in explained:
        if flip.of == "check":
            was, now = (_of_check(record, flip) for record, _ in (before, after))
            found += _compared(flip.topology, flip.id, (was, before[1]), (now, after[1]))
    return found


def _of_topology(record: RunRecord, name: str) -> list[EvidenceFile]:
    return [e for topology in record.topologies if topology.name == name for e in topology.evidence]


def _of_check(record: RunRecord, flip: Flip) -> list[EvidenceFile]:
    return [
        e
        for check in record.checks
        if (check.topology, check.id) == (flip.topology, flip.id)
        for e in check.evidence
    ]


def _compared(
    topology: str,
    check: str | None,
    before: tuple[list[EvidenceFile], EvidenceReader],
    after: tuple[list[EvidenceFile], EvidenceReader],
) -> Iterator[EvidenceDifference]:
    now = {evidence.name: evidence for evidence in after[0] if _is_compared(evidence.name)}
    for evidence in before[0]:
        if evidence.name not in now:
            continue
        texts = before[1].text(evidence), after[1].text(now[evidence.name])
        if texts[0] is None or texts[1] is None:
            continue
        lines = list(unified(evidence.name, texts[0], texts[1]))
        if lines:
            yield EvidenceDifference(
                topology=topology,
                check=check,
                name=evidence.name,
                lines=lines[:LINES_MAX],
                left_out=max(0, len(lines) - LINES_MAX),
            )


def _is_compared(name: str) -> bool:
    return name.endswith(TEXTS) and not name.startswith(LEFT_OUT)


def unified(name: str, before: str, after: str) -> Iterator[str]:
    """Yield a unified diff of two texts of evidence without what always differs.

    The hunks of a transcript follow the command whose output they show; a command that only
    one of the runs gave is marked as such. Addresses are numbered anew in each section: one that
    came or went in the output of one command shall not show in all that follow.
    """
    was, now = (sections(name, text) for text in (before, after))
    for section in dict.fromkeys([*was, *now]):
        if any(f"$ {noisy}" in section for noisy in NOISY):
            continue
        if section not in now:
            yield from (f"-{line}" for line in [section, *was[section]])
        elif section not in was:
            yield from (f"+{line}" for line in [section, *now[section]])
        elif lines := list(hunks(was[section], now[section])):
            yield from [section, *lines] if name == COMMANDS else lines
