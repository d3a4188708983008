# SPDX-License-Identifier: GPL-2.0-or-later
"""The answer of a gate: one sentence about a comparison."""

from collections.abc import Iterable

from contracts.exit_codes import EXIT_CONFORMS, EXIT_UNDECIDED, EXIT_VIOLATES
from contracts.language import gettext, word
from contracts.verdicts import Verdict
from reports.compare.comparison import JUDGED, Comparison, Effect, Flip, QuantityOutcome, named

REASONS_SHOWN = 3


def answer_of(found: Comparison, *, is_unseen: bool = False) -> tuple[int, str]:
    """Return the exit code, and in a sentence whether the gate is open, and what that rests on.

    A gate is never open for runs of two hosts, which `compare` only warns of: an upgrade is judged
    by two runs of one.

    Args:
        found: the two runs, compared in the language of the reader.
        is_unseen: whether the end of the command between the runs was not seen.
    """
    code, beside = found.exit_code, [*_beside(found)]
    doubts = list(found.other_host)
    if is_unseen:
        unseen = gettext(
            "the end of the command was not seen, and what it left unfinished is not looked at"
        )
        doubts = [unseen, *doubts]
    if code == EXIT_VIOLATES:
        reasons = [*_worse(found.flips), *_slower(found)]
        beside += found.other_host
    else:
        code = EXIT_UNDECIDED if doubts else code
        reasons = [*doubts, *found.because]
    more = len(reasons) - REASONS_SHOWN
    shown = reasons[:REASONS_SHOWN]
    if more > 0:
        shown.append(gettext("and {number} more").format(number=more))
    sentence = gettext("gate {state}: {reasons} ({beside})")
    return code, sentence.format(
        state=_state(code), reasons="; ".join(shown), beside="; ".join(beside)
    )


def _state(code: int) -> str:
    words = {EXIT_CONFORMS: gettext("open"), EXIT_VIOLATES: gettext("closed")}
    return words.get(code, gettext("undecided"))


def _beside(found: Comparison) -> Iterable[str]:
    """Yield what the reader of the answer has to know of the rest."""
    same = found.same
    steady = gettext("checks that conform as before: {number}")
    yield steady.format(number=same.get(Verdict.CONFORMS, 0))
    if broken := same.get(Verdict.VIOLATES, 0):
        yield gettext("that are violated as before: {number}").format(number=broken)
    waived = [flip for flip in found.flips if flip.effect is Effect.WAIVED]
    if number := same.get(Verdict.WAIVED, 0) + len(waived):
        yield gettext("whose violation is waived: {number}").format(number=number)
    directed = [each for each in found.quantities if each.better is not None]
    if unjudged := [each for each in directed if each.outcome not in JUDGED]:
        why = dict.fromkeys(word(each.outcome) for each in unjudged)
        yield gettext("quantities not judged: {number} of {all} ({why})").format(
            number=len(unjudged), all=len(directed), why=", ".join(why)
        )


def _worse(flips: Iterable[Flip]) -> list[str]:
    """Return, by topology, the claims that conformed and are violated."""
    claims: dict[str, list[str]] = {}
    for flip in flips:
        if flip.effect is Effect.REGRESSED:
            claims.setdefault(flip.topology or flip.id, []).extend(flip.claims or [flip.id])
    said = gettext("{topology}: {claims} regressed")
    return [
        said.format(topology=place, claims=" ".join(dict.fromkeys(ids)))
        for place, ids in claims.items()
    ]


def _slower(found: Comparison) -> list[str]:
    said = gettext("{quantity} regressed")
    return [
        said.format(quantity=named(each))
        for each in found.quantities
        if each.outcome is QuantityOutcome.REGRESSED
    ]
