# SPDX-License-Identifier: GPL-2.0-or-later
"""Flips of verdicts: which is a regression, what came and went, and what that exits with."""

from itertools import product
from pathlib import Path

import pytest

from contracts.verdicts import SEEN
from reports.compare.comparability import NotComparable
from reports.compare.compare_runs import compare
from reports.compare.comparison import Comparison, Effect, QuantityOutcome
from reports.compare.comparison_pages import comparison_markdown
from reports.compare.quantities import Criteria
from reports.compare.verdict_changes import effect
from reports.record import FaultResult, RunRecord, Verdict
from tests.compared import FACTS, HOST, check, quantity, record

CONFORMS, VIOLATES = Verdict.CONFORMS, Verdict.VIOLATES
OPEN = (Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.NOT_TESTABLE)
NOWHERE = Path("nowhere")


def compared(before: RunRecord, after: RunRecord, *topologies: str) -> Comparison:
    return compare((before, NOWHERE), (after, NOWHERE), Criteria(), topologies)


def flipped(before: Verdict, after: Verdict) -> Comparison:
    decided = check("nat.rules", claims=["NT-08"])
    return compared(
        record(0, check("dhcp.lease", before), decided),
        record(1, check("dhcp.lease", after), decided),
    )


def test_only_from_conforms_to_violates_is_a_regression() -> None:
    pairs = [pair for pair in product(SEEN, SEEN) if pair[0] != pair[1]]
    worse = [pair for pair in pairs if effect(*pair) is Effect.REGRESSED]
    assert worse == [(CONFORMS, VIOLATES)]
    assert [pair for pair in pairs if flipped(*pair).exit_code == 1] == worse


@pytest.mark.parametrize("known", [CONFORMS, VIOLATES])
@pytest.mark.parametrize("open_", OPEN)
def test_what_both_runs_left_open_leaves_the_rest_comparable(
    open_: Verdict, known: Verdict
) -> None:
    """So a run with something open may be a pipeline's baseline (ci/qualify)."""
    checks = [check("dhcp.lease", open_), check("nat.rules", known, claims=["NT-08"])]
    found = compared(record(0, *checks), record(1, *checks))
    assert (found.exit_code, found.flips) == (0, [])


@pytest.mark.parametrize("open_", OPEN)
def test_what_is_not_decided_any_more_or_was_not_before_cannot_be_judged(open_: Verdict) -> None:
    for before, after, meaning in (
        (CONFORMS, open_, Effect.LOST),
        (VIOLATES, open_, Effect.LOST),
        (open_, VIOLATES, Effect.FOUND),
    ):
        found = flipped(before, after)
        assert [flip.effect for flip in found.flips] == [meaning]
        assert found.exit_code == 10
        assert f"dhcp.lease: {before} → {after}" in found.because


@pytest.mark.parametrize("before", [VIOLATES, *OPEN])
def test_what_conforms_now_is_nothing_worse(before: Verdict) -> None:
    found = flipped(before, CONFORMS)
    assert found.exit_code == 0
    assert found.flips[0].effect is (Effect.MENDED if before is VIOLATES else Effect.GAINED)


def test_undecided_for_another_reason_is_told_and_no_change() -> None:
    found = flipped(Verdict.NOT_TESTABLE, Verdict.INCONCLUSIVE)
    assert [flip.effect for flip in found.flips] == [Effect.UNDECIDED]
    assert found.exit_code == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [*product(OPEN, OPEN), (Verdict.ERROR, CONFORMS)],
)
def test_where_both_runs_decided_nothing_nothing_can_be_said(
    before: Verdict, after: Verdict
) -> None:
    found = compared(record(0, check("dhcp.lease", before)), record(1, check("dhcp.lease", after)))
    assert found.exit_code == 10
    assert found.because == ["no check and no claim is decided in both runs"]


def broken(found: RunRecord, verdict: Verdict) -> RunRecord:
    reason = "it could not be taken down"
    changes = {"verdict": verdict, "reason": reason}
    return found.model_copy(
        update={"topologies": [t.model_copy(update=changes) for t in found.topologies]}
    )


@pytest.mark.parametrize("verdict", [Verdict.ERROR, Verdict.INCONCLUSIVE])
def test_a_topology_that_broke_beside_its_checks_leaves_it_open(verdict: Verdict) -> None:
    after = broken(record(1, check("dhcp.lease")), verdict)
    found = compared(record(0, check("dhcp.lease")), after)
    assert found.exit_code == 10
    assert found.because == [f"nat: conforms → {verdict}"]
    assert [(f.of, f.id, f.effect, f.reason_after) for f in found.flips] == [
        ("topology", "nat", Effect.LOST, "it could not be taken down")
    ]
    assert "| nat | the topology itself | conforms |" in comparison_markdown(found)


def test_a_topology_that_was_broken_before_or_whose_check_says_it_is_told_once() -> None:
    steady, lost = check("nat.rules"), check("dhcp.lease", Verdict.ERROR)
    before = broken(record(0, steady), Verdict.ERROR)
    assert not compared(before, broken(record(1, steady), Verdict.ERROR)).flips
    found = compared(record(0, steady, check("dhcp.lease")), record(1, steady, lost))
    assert [flip.of for flip in found.flips] == ["check"]


def test_what_stayed_violated_is_no_regression() -> None:
    found = flipped(VIOLATES, VIOLATES)
    assert not found.flips
    assert found.same == {CONFORMS: 1, VIOLATES: 1}
    assert found.exit_code == 0


def test_a_regression_counts_more_than_what_is_open() -> None:
    found = compared(
        record(0, check("dhcp.lease"), check("dhcp.other")),
        record(1, check("dhcp.lease", Verdict.ERROR), check("dhcp.other", VIOLATES)),
    )
    assert found.exit_code == 1
    assert [flip.effect for flip in found.flips] == [Effect.REGRESSED, Effect.LOST]


def test_the_same_check_on_another_topology_is_another_check() -> None:
    found = compared(
        record(0, check("dhcp.lease"), check("dhcp.lease", VIOLATES, topology="nat1")),
        record(1, check("dhcp.lease", VIOLATES), check("dhcp.lease", topology="nat1")),
    )
    assert {(f.topology, f.effect) for f in found.flips} == {
        ("nat", Effect.REGRESSED),
        ("nat1", Effect.MENDED),
    }


def test_a_claim_regresses_even_if_its_check_is_a_new_one() -> None:
    found = compared(
        record(0, check("dhcp.lease")),
        record(1, check("dhcp.lease"), check("dhcp.renewed", VIOLATES)),
    )
    assert [(flip.of, flip.id) for flip in found.flips] == [("claim", "NT-05")]
    assert found.exit_code == 1
    assert [(one.of, one.id) for one in found.appeared] == [("check", "dhcp.renewed")]


def test_a_decided_claim_that_vanished_leaves_it_open() -> None:
    before = record(0, check("dhcp.lease"), check("nat.rules", claims=["NT-08"]))
    found = compared(before, record(1, check("dhcp.lease")))
    assert found.exit_code == 10
    assert found.because == ["decided before, and not looked at after: NT-08 (nat)"]
    assert {(one.of, one.id) for one in found.vanished} == {
        ("claim", "NT-08"),
        ("check", "nat.rules"),
    }


def test_a_claim_that_was_not_decided_before_may_vanish() -> None:
    lacking = check("nat.rules", Verdict.NOT_TESTABLE, claims=["NT-08"])
    found = compared(record(0, check("dhcp.lease"), lacking), record(1, check("dhcp.lease")))
    assert found.exit_code == 0


@pytest.mark.parametrize(("verdict", "code"), [(CONFORMS, 0), (VIOLATES, 10)])
def test_a_new_claim_that_is_violated_leaves_open_whether_that_is_new(
    verdict: Verdict, code: int
) -> None:
    new = check("nat.rules", verdict, claims=["NT-08"])
    found = compared(record(0, check("dhcp.lease")), record(1, check("dhcp.lease"), new))
    assert found.exit_code == code


def test_a_check_without_a_claim_counts_where_only_one_run_has_it() -> None:
    common, own = check("dhcp.lease"), check("connectivity.reach[nat]", claims=[])
    vanished = compared(record(0, common, own), record(1, common))
    assert (vanished.exit_code, vanished.because) == (
        10,
        ["decided before, and not looked at after: connectivity.reach[nat] (nat)"],
    )
    broken_one = check("connectivity.reach[nat]", VIOLATES, claims=[])
    appeared = compared(record(0, common), record(1, common, broken_one))
    assert appeared.exit_code == 10
    assert compared(record(0, common), record(1, common, own)).exit_code == 0


@pytest.mark.parametrize(("better", "code"), [("more", 10), (None, 0)])
def test_a_quantity_that_is_no_longer_measured_is_named(better: str | None, code: int) -> None:
    samples = [1000.0, 1012, 990, 1005, 998, 1020]
    steady, lost = quantity("tcp up", samples), quantity("tcp down", samples, better=better)
    before = record(0, check("throughput.n", measurements=[steady, lost]))
    found = compared(before, record(1, check("throughput.n", measurements=[steady])))
    assert found.exit_code == code
    named = "measured before, and not after: tcp down (nat)"
    assert (named in found.because) is (code == 10)


def test_a_quantity_with_nothing_but_a_cold_sample_is_none() -> None:
    cold = quantity("tcp up", [1000.0]).model_copy(update={"cold": 1})
    runs = [record(n, check("throughput.n", measurements=[cold])) for n in (0, 1)]
    assert not compared(*runs).quantities


@pytest.mark.parametrize(("memory_mib", "warned"), [(16100, False), (64000, True)])
def test_a_machine_with_other_memory_is_another_one(memory_mib: int, *, warned: bool) -> None:
    hosts = [other_host(facts={**FACTS, "memory_mib": mib}) for mib in (16000, memory_mib)]
    runs = [record(n, check("dhcp.lease"), host=host) for n, host in enumerate(hosts)]
    said = "two different hosts: memory 16000 MiB before, 64000 MiB after"
    assert (said in compared(*runs).warnings) is warned


def test_a_topology_can_be_looked_at_alone() -> None:
    before = record(0, check("dhcp.lease"), check("ovs.flows", topology="ovs", claims=["OV-01"]))
    after = record(1, check("dhcp.lease"))
    assert compared(before, after).exit_code == 10
    assert compared(before, after, "nat").exit_code == 0
    with pytest.raises(NotComparable, match="--topology ovs: AFTER does not have it"):
        compared(before, after, "ovs")


def test_an_unfinished_run_is_never_nothing_worse() -> None:
    after = record(1, check("dhcp.lease"), finished=False)
    found = compared(record(0, check("dhcp.lease")), after)
    assert found.exit_code == 10
    assert found.unfinished
    assert "the run after did not finish" in found.warnings[0]
    worse = record(1, check("dhcp.lease", VIOLATES), finished=False)
    assert compared(record(0, check("dhcp.lease")), worse).exit_code == 1


def test_what_makes_no_sense_is_refused() -> None:
    run = record(0, check("dhcp.lease"))
    fault = FaultResult(
        id="x", title="x", topology="nat", on="host", apply="true", caught_by=["NT-05"], also={}
    )
    for before, after, why in (
        (run, record(1, check("dhcp.lease"), faults=[fault]), "AFTER is the record of `prove`"),
        (record(1, check("dhcp.lease"), faults=[fault]), run, "BEFORE is the record of `prove`"),
        (run, run, "BEFORE and AFTER are one run"),
        (run, record(1), "AFTER has no check"),
        (run, record(1, check("ovs.flows", topology="ovs")), "no topology in common: nat before"),
    ):
        with pytest.raises(NotComparable, match=why):
            compared(before, after)


def other_host(**changes: object) -> dict[str, object]:
    return {**HOST, **changes}


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (other_host(kind="lab"), "kind sandbox before, lab after"),
        (other_host(accel={"name": "tcg", "reason": "no KVM"}), "accelerator kvm before, tcg"),
        (
            other_host(facts={"cpu": {"model": "Other", "count": 2}}),
            "CPU 4 × Some CPU before, 2 × Other after",
        ),
    ],
)
def test_two_different_hosts_are_warned_of_and_their_speeds_not_compared(
    host: dict[str, object], said: str
) -> None:
    fast, slow = quantity("tcp", range(900, 920)), quantity("tcp", range(100, 120))
    found = compared(
        record(0, check("throughput.x", measurements=[fast])),
        record(1, check("throughput.x", measurements=[slow]), host=host),
    )
    assert any(f"two different hosts: {said}" in warning for warning in found.warnings)
    assert [each.outcome for each in found.quantities] == [QuantityOutcome.NOT_COMPARABLE]
    assert found.exit_code == 10
    assert found.because == ["no quantity could be judged: not comparable"]


def test_an_upgrade_of_the_same_machine_is_no_other_host() -> None:
    newer = other_host(release="Debian 13", facts={**FACTS, "kernel": "6.12"})
    found = compared(record(0, check("dhcp.lease")), record(1, check("dhcp.lease"), host=newer))
    assert found.warnings == []
    assert {fact.name: (fact.before, fact.after) for fact in found.facts} == {
        "release": ("Debian 12", "Debian 13"),
        "kernel": ("6.1.0", "6.12"),
    }


def test_the_wrong_order_and_another_plumbline_are_warned_of() -> None:
    found = compared(
        record(5, check("dhcp.lease")),
        record(
            1,
            check("dhcp.lease"),
            tool={"version": "2", "commit": None, "dirty": None, "command": []},
        ),
    )
    assert any("AFTER is the older run" in warning for warning in found.warnings)
    assert any("two versions of Plumbline: 1 (cccccccccc)" in w for w in found.warnings)


@pytest.mark.parametrize("which", ["before", "after"])
def test_one_run_redacted_and_the_other_not_is_warned_of(which: str) -> None:
    found = compared(
        record(0, check("dhcp.lease"), redacted=which == "before"),
        record(1, check("dhcp.lease"), redacted=which == "after"),
    )
    assert [f"the run {which} is redacted, the other is not" in w for w in found.warnings] == [True]
    both = [record(number, check("dhcp.lease"), redacted=True) for number in range(2)]
    assert not compared(*both).warnings


def test_a_fact_that_differs_alike_on_several_topologies_stands_there_once() -> None:
    checks = check("dhcp.lease"), check("ovs.flows", topology="ovs", claims=["OV-01"])
    off = {"sysctls": {"net.ipv4.ip_forward": "0"}}
    facts = {**FACTS, "topologies": {"nat": off, "ovs": off}}
    found = compared(record(0, *checks), record(1, *checks, host=other_host(facts=facts)))
    assert [(f.name, f.before, f.after) for f in found.facts] == [
        ("sysctls.net.ipv4.ip_forward (nat, ovs)", "1", "0")
    ]


def test_facts_of_a_topology_that_only_one_run_built_say_nothing_of_the_host() -> None:
    facts = {**FACTS, "topologies": {"nat": FACTS["topologies"]["nat"]}}
    found = compared(
        record(0, check("dhcp.lease")), record(1, check("dhcp.lease"), host=other_host(facts=facts))
    )
    assert not found.facts
