# SPDX-License-Identifier: GPL-2.0-or-later
"""The exit code of a comparison, and in sentences what it rests on."""

from collections.abc import Collection

from contracts.exit_codes import EXIT_CONFORMS, EXIT_UNDECIDED, EXIT_VIOLATES
from contracts.language import gettext, gettext_noop, word
from contracts.verdicts import Verdict
from reports.compare.comparison import (
    JUDGED,
    Effect,
    Flip,
    OneSided,
    Quantity,
    QuantityOutcome,
    named,
)

# Of quantities in a reason; the rows below it have them all.
NAMES_SHOWN = 3
WORSE_UNKNOWN = frozenset({Effect.LOST, Effect.FOUND})
"""Effects that leave open whether something is worse."""
UNJUDGED = {
    QuantityOutcome.TOO_FEW: gettext_noop("too few samples to judge {names}"),
    QuantityOutcome.DEPENDENT: gettext_noop(
        "samples depend, or may depend, on one another, and do not judge {names}: another run on "
        "an idle machine may; compare --accept-dependent-samples goes by the verdicts"
    ),
    QuantityOutcome.NOT_COMPARABLE: gettext_noop("not comparable, and not judged: {names}"),
}
"""The reason for each outcome that leaves open whether a quantity is worse."""


def outcome_of(
    flips: list[Flip],
    vanished: list[OneSided],
    appeared: list[OneSided],
    quantities: list[Quantity],
    undecided: list[str],
    *,
    accepted: Collection[QuantityOutcome] = (),
) -> tuple[int, list[str]]:
    """Return the exit code and what it rests on.

    What is certain comes first: something that is worse (1), then whatever leaves open whether
    something is (10).

    Args:
        flips: verdicts that are others now.
        vanished: entries of the run before only.
        appeared: entries of the run after only.
        quantities: those of both.
        undecided: the reasons that leave the whole comparison open.
        accepted: outcomes of quantities that could not be judged, and leave nothing open.
    """
    worse = [_turned(flip) for flip in flips if flip.effect is Effect.REGRESSED]
    regressed = gettext("{quantity} regressed")
    worse += [
        regressed.format(quantity=named(each))
        for each in quantities
        if each.outcome is QuantityOutcome.REGRESSED
    ]
    if worse:
        return EXIT_VIOLATES, worse
    open_ = list(undecided)
    open_ += [_turned(f) for f in flips if f.effect in WORSE_UNKNOWN or f.of == "topology"]
    decided = {Verdict.CONFORMS, Verdict.VIOLATES, Verdict.WAIVED}
    if gone := _claim_list([each for each in vanished if each.verdict in decided], vanished):
        open_.append(
            gettext("decided before, and not looked at after: {claims}").format(claims=gone)
        )
    if new := _claim_list([a for a in appeared if a.verdict is Verdict.VIOLATES], appeared):
        said = gettext("violated, and not looked at before: {claims}")
        open_.append(said.format(claims=new))
    undecided_speeds, unjudged = _of_quantities(quantities, accepted)
    open_ += undecided_speeds
    if open_:
        return EXIT_UNDECIDED, open_
    if unjudged:
        said = gettext("no verdict is shown to be worse; no quantity could be judged: {why}")
        return EXIT_CONFORMS, [said.format(why=", ".join(map(word, unjudged)))]
    return EXIT_CONFORMS, [gettext("no verdict and no quantity is shown to be worse")]


def _of_quantities(
    quantities: list[Quantity], accepted: Collection[QuantityOutcome]
) -> tuple[list[str], list[QuantityOutcome]]:
    """Return what quantities leave open, and their outcomes if none of them was judged.

    Those without a direction leave nothing open.
    """
    directed = [each for each in quantities if each.better is not None]
    unjudged = [each for each in directed if each.outcome not in JUDGED]
    names: dict[QuantityOutcome, list[str]] = {}
    for each in unjudged:
        if each.outcome not in accepted:
            names.setdefault(each.outcome, []).append(named(each))
    outcomes = list(dict.fromkeys(each.outcome for each in unjudged))
    is_none_judged = len(unjudged) == len(directed)
    open_ = []
    if names and is_none_judged:
        why = ", ".join(map(word, names))
        open_.append(gettext("no quantity could be judged: {why}").format(why=why))
    open_ += [
        gettext(said).format(names=_first(names[outcome]))
        for outcome, said in UNJUDGED.items()
        if outcome in names and (outcome is QuantityOutcome.DEPENDENT or not is_none_judged)
    ]
    return open_, outcomes if is_none_judged else []


def _first(names: list[str]) -> str:
    """Return the first of several names, and how many there are more."""
    more = len(names) - NAMES_SHOWN
    shown = names[:NAMES_SHOWN]
    if more > 0:
        shown.append(gettext("and {number} more").format(number=more))
    return ", ".join(shown)


def _turned(flip: Flip) -> str:
    return f"{flip.id}: {word(flip.before)} → {word(flip.after)}"


def _claim_list(ones: list[OneSided], whole: list[OneSided]) -> str:
    """Return the claims among these, and the checks that belong to none.

    Those of a topology that is not there at all go by its name.
    """
    by_claim = [each for each in ones if each.of == "claim"]
    claims = by_claim + [each for each in ones if each.of == "check" and not each.claims]
    topologies = {each.topology for each in whole if each.of == "topology"}
    all_ = gettext("all of {topology}")
    listed = [all_.format(topology=e.topology) for e in claims if e.topology in topologies]
    listed += [f"{each.id} ({each.topology})" for each in claims if each.topology not in topologies]
    return ", ".join(dict.fromkeys(listed))
