# SPDX-License-Identifier: GPL-2.0-or-later
"""From two records with their evidence to a comparison."""

from collections.abc import Sequence
from pathlib import Path

from contracts.language import gettext
from reports.compare.comparability import (
    NotComparable,
    other_host,
    require_comparable,
    warnings,
    why_speeds_differ,
)
from reports.compare.comparison import ComparedRun, Comparison, identity
from reports.compare.comparison_answer import outcome_of
from reports.compare.evidence_differences import EvidenceReader, differences
from reports.compare.host_facts import facts
from reports.compare.measured_quantities import measured
from reports.compare.quantities import Criteria, judge
from reports.compare.verdict_changes import decided_in_both, flips, of_topologies, one_sided, same
from reports.record import RunRecord
from reports.waivers import run_out


def compare(
    before: tuple[RunRecord, Path],
    after: tuple[RunRecord, Path],
    criteria: Criteria,
    topologies: Sequence[str] = (),
) -> Comparison:
    """Compare two runs.

    Args:
        before: a record, and the folder that its evidence is in.
        after: the same of the other run.
        criteria: the criteria for judging quantities.
        topologies: only these; empty: all.

    Raises:
        NotComparable: it would have no meaning, or a run has none of these topologies.
    """
    require_comparable(before[0], after[0])
    was, now = before[0], after[0]
    if topologies:
        _require_known(topologies, was, now)
        was, now = of_topologies(was, topologies), of_topologies(now, topologies)
    quantities_before, quantities_now = measured(was), measured(now)
    different = why_speeds_differ(was.host, now.host)
    method, quantities = judge(quantities_before, quantities_now, criteria, different)
    readers = EvidenceReader(before[1]), EvidenceReader(after[1])
    flipped = flips(was, now)
    explained = differences(flipped, (was, readers[0]), (now, readers[1]))
    vanished, appeared = one_sided(was, now), one_sided(now, was)
    unfinished = was.finished is None or now.finished is None
    undecided = [gettext("a run did not finish")] if unfinished else []
    if not decided_in_both(was, now):
        undecided.append(gettext("no check and no claim is decided in both runs"))
    built = {topology.name for topology in now.topologies}
    undecided += [
        gettext("measured before, and not after: {name} ({topology})").format(
            name=name, topology=topology
        )
        for (topology, check, name), known in quantities_before.items()
        if known.better is not None
        and topology in built
        and (topology, check, name) not in quantities_now
    ]
    exit_code, because = outcome_of(
        flipped, vanished, appeared, quantities, undecided, accepted=criteria.accepted
    )
    return Comparison(
        before=_run(was, before[1]),
        after=_run(now, after[1]),
        warnings=[*warnings(was, now), *run_out(now)],
        other_host=list(other_host(was.host, now.host)),
        unfinished=unfinished,
        method=method,
        flips=flipped,
        same=same(was, now),
        appeared=appeared,
        vanished=vanished,
        facts=facts(was.host, now.host),
        quantities=quantities,
        differences=explained,
        notes=readers[0].notes + readers[1].notes,
        exit_code=exit_code,
        because=because,
    )


def _require_known(topologies: Sequence[str], before: RunRecord, after: RunRecord) -> None:
    for which, record in (("BEFORE", before), ("AFTER", after)):
        known = [topology.name for topology in record.topologies]
        for name in topologies:
            if name not in known:
                raise NotComparable(
                    f"--topology {name}: {which} does not have it", f"it has {', '.join(known)}"
                )


def _run(record: RunRecord, folder: Path) -> ComparedRun:
    command = record.tool.command
    return ComparedRun(**identity(record, folder), finished=record.finished, command=command)
