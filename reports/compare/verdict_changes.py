# SPDX-License-Identifier: GPL-2.0-or-later
"""Verdicts that are others now, what that means, and what only one of the runs looked at."""

from collections import Counter
from collections.abc import Iterable, Mapping

from contracts.language import gettext
from contracts.verdicts import Verdict
from reports.compare.comparison import Effect, Flip, OneSided
from reports.record import Check, RunRecord

_DECIDED = (Verdict.CONFORMS, Verdict.VIOLATES, Verdict.WAIVED)
_EFFECTS = {
    (Verdict.CONFORMS, Verdict.VIOLATES): Effect.REGRESSED,
    (Verdict.VIOLATES, Verdict.CONFORMS): Effect.MENDED,
    (Verdict.WAIVED, Verdict.CONFORMS): Effect.MENDED,
    # The waiver has run out since, or of a claim other checks are violated, too, which the waiver
    # does not cover.
    (Verdict.WAIVED, Verdict.VIOLATES): Effect.REGRESSED,
}
# In the order of their importance to the reader.
ORDER = tuple(Effect)

Place = tuple[str, str]
"""Topology, and id of a check or claim on it."""


def effect(before: Verdict, after: Verdict) -> Effect:
    """Return what it means that a verdict became another one."""
    if (before, after) in _EFFECTS:
        return _EFFECTS[before, after]
    if after is Verdict.WAIVED:
        return Effect.WAIVED
    if before in _DECIDED:
        return Effect.LOST
    if after is Verdict.VIOLATES:
        return Effect.FOUND
    return Effect.GAINED if after is Verdict.CONFORMS else Effect.UNDECIDED


def flips(before: RunRecord, after: RunRecord) -> list[Flip]:
    """Return the checks whose verdict is another one, the gravest first.

    Then the claims that changed although no check of theirs did, as checks came or went. And the
    topologies that broke beside their checks, as one that could not be taken down.
    """
    was, now = _checks(before), _checks(after)
    found = [
        _flip(was[place], check)
        for place, check in now.items()
        if place in was and was[place].verdict != check.verdict
    ]
    listed = {(flip.topology, claim) for flip in found for claim in flip.claims}
    claims_before, claims_after = _claims(before), _claims(after)
    found += [
        Flip(
            of="claim",
            id=place[1],
            claims=[place[1]],
            topology=place[0],
            before=claims_before[place],
            after=verdict,
            effect=effect(claims_before[place], verdict),
            reason_after=gettext("its checks are not those that they were"),
        )
        for place, verdict in claims_after.items()
        if place in claims_before and claims_before[place] != verdict and place not in listed
    ]
    found += _topologies(before, after)
    return sorted(found, key=lambda flip: ORDER.index(flip.effect))


def decided_in_both(before: RunRecord, after: RunRecord) -> bool:
    """Return whether there is a check, or a claim of other checks, that both runs decided."""
    checks = [{p: c.verdict for p, c in _checks(record).items()} for record in (before, after)]
    claims = [_claims(record) for record in (before, after)]
    return any(
        was[place] in _DECIDED and now[place] in _DECIDED
        for was, now in (checks, claims)
        for place in was.keys() & now.keys()
    )


def same(before: RunRecord, after: RunRecord) -> dict[Verdict, int]:
    """Return how many checks have the verdict that they had, by verdict."""
    was = {place: check.verdict for place, check in _checks(before).items()}
    kept = Counter(
        check.verdict for place, check in _checks(after).items() if was.get(place) == check.verdict
    )
    return {verdict: kept[verdict] for verdict in Verdict if kept[verdict]}


def one_sided(one: RunRecord, other: RunRecord) -> list[OneSided]:
    """Return what `one` looked at and `other` did not: topologies, else claims, else checks."""
    topologies = {topology.name for topology in other.topologies}
    gone = [
        OneSided(of="topology", id=t.name, topology=t.name, verdict=t.verdict)
        for t in one.topologies
        if t.name not in topologies
    ]
    claims, checks = _claims(other), _checks(other)
    gone += [
        OneSided(of="claim", id=id_, topology=topology, verdict=verdict)
        for (topology, id_), verdict in _claims(one).items()
        if (topology, id_) not in claims
    ]
    gone += [
        OneSided(of="check", id=id_, topology=topology, verdict=check.verdict, claims=check.claims)
        for (topology, id_), check in _checks(one).items()
        if (topology, id_) not in checks and topology in topologies
    ]
    return gone


def of_topologies(record: RunRecord, names: Iterable[str]) -> RunRecord:
    """Return the part of a record that is about these topologies."""
    kept = set(names)
    return record.model_copy(
        update={
            "topologies": [t for t in record.topologies if t.name in kept],
            "checks": [c for c in record.checks if c.topology in kept],
            "claims": [c for c in record.claims if c.topology in kept],
        }
    )


def _topologies(before: RunRecord, after: RunRecord) -> list[Flip]:
    was = {topology.name: topology for topology in before.topologies}
    by_checks = {(check.topology, check.verdict) for check in after.checks}
    return [
        Flip(
            of="topology",
            id=now.name,
            claims=[],
            topology=now.name,
            before=was[now.name].verdict,
            after=now.verdict,
            effect=effect(was[now.name].verdict, now.verdict),
            reason_before=was[now.name].reason,
            reason_after=now.reason,
        )
        for now in after.topologies
        if now.name in was
        and now.verdict in (Verdict.ERROR, Verdict.INCONCLUSIVE)
        and now.verdict != was[now.name].verdict
        and (now.name, now.verdict) not in by_checks
    ]


def _flip(was: Check, now: Check) -> Flip:
    return Flip(
        of="check",
        id=now.id,
        claims=now.claims,
        topology=now.topology,
        before=was.verdict,
        after=now.verdict,
        effect=effect(was.verdict, now.verdict),
        reason_before=was.reason,
        reason_after=now.reason,
        rerun=now.rerun,
    )


def _checks(record: RunRecord) -> Mapping[Place, Check]:
    return {(check.topology, check.id): check for check in record.checks}


def _claims(record: RunRecord) -> Mapping[Place, Verdict]:
    return {(claim.topology, claim.id): claim.verdict for claim in record.claims}
