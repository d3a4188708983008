# SPDX-License-Identifier: GPL-2.0-or-later
"""The order of a fleet: first the hosts that differ most from the others.

First are the red hosts, by how many of the claims that they violate conform elsewhere: a claim that
is violated everywhere makes no host an outlier. Then those whose run has no end, then those whose
other verdicts or versions are rare.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from contracts.verdicts import BY_GRAVITY, REPORTED_ORDER, Verdict
from reports.fleet.fleet import FleetClaim, FleetHost
from reports.fleet.host_status import HostState
from reports.record import Statement

_DECIDED = (Verdict.CONFORMS, Verdict.VIOLATES, Verdict.WAIVED)


def claims_of(
    hosts: Sequence[FleetHost], statements: dict[str, Statement], order: Iterable[str]
) -> list[FleetClaim]:
    """Return the claims over all hosts.

    Args:
        hosts: the hosts.
        statements: of the claims, by id.
        order: the ids.
    """
    counts: dict[str, Counter[Verdict]] = {}
    for host in hosts:
        for id_, claim in host.claims.items():
            counts.setdefault(id_, Counter())[claim.verdict] += 1
    return [
        FleetClaim(
            id=id_,
            statement=statements[id_].statement if id_ in statements else None,
            source=statements[id_].source if id_ in statements else None,
            counts={each: counts[id_][each] for each in REPORTED_ORDER if counts[id_][each]},
        )
        for id_ in order
    ]


def outliers_first(hosts: Sequence[FleetHost], claims: Sequence[FleetClaim]) -> list[FleetHost]:
    """Return the hosts in the order of the report, with their deviation and unusual versions."""
    counts = {claim.id: claim.counts for claim in claims}
    usual = _usual_versions(hosts)
    ranked = [
        host.model_copy(
            update={
                "deviation": round(_deviation(host, counts, Verdict.VIOLATES), 6),
                "unusual": [key for key, text in host.versions.items() if usual[key] != text],
            }
        )
        for host in hosts
    ]

    def key(host: FleetHost) -> tuple[float, bool, bool, float, int, str]:
        others = sum(
            _deviation(host, counts, verdict)
            for verdict in BY_GRAVITY
            if verdict not in (Verdict.VIOLATES, Verdict.CONFORMS)
        )
        ended = host.state is HostState.RAN
        return -host.deviation, not host.is_red, ended, -others, -len(host.unusual), host.name

    return sorted(ranked, key=key)


def _deviation(host: FleetHost, counts: dict[str, dict[Verdict, int]], verdict: Verdict) -> float:
    """Return the sum, over the claims with this verdict on the host, of the share that conforms.

    It is the share of the hosts that decided the claim: one that could not says nothing of it.
    """
    total = 0.0
    for id_, claim in host.claims.items():
        if claim.verdict is verdict:
            of = counts[id_]
            decided = sum(of.get(each, 0) for each in _DECIDED)
            total += of.get(Verdict.CONFORMS, 0) / decided if decided else 0.0
    return total


def _usual_versions(hosts: Sequence[FleetHost]) -> dict[str, str]:
    """Return the version of each program that most hosts have; of equally many the first."""
    found: dict[str, Counter[str]] = {}
    for host in hosts:
        for key, text in host.versions.items():
            found.setdefault(key, Counter())[text] += 1
    return {key: texts.most_common(1)[0][0] for key, texts in found.items()}
