# SPDX-License-Identifier: GPL-2.0-or-later
"""The standard in a report: what the run decided of it, what not, and what it left out."""

from collections import Counter
from collections.abc import Iterable, Iterator

from contracts.language import gettext, word
from contracts.verdicts import ONLY_WITH_DISRUPTIVE, REPORTED_ORDER, Verdict, over_topologies
from reports.claim_runs import runs_of
from reports.record import RunRecord
from reports.standard import Standard
from reports.wording import counted

_DECIDED = (Verdict.CONFORMS, Verdict.VIOLATES, Verdict.WAIVED)


def standard_facts(record: RunRecord) -> Iterator[tuple[str, list[str]]]:
    """Give the standard, and what of it was decided and left out, as label and lines.

    A record from before it was kept has none.
    """
    standard = record.standard
    if standard is None:
        return
    yield (
        gettext("Standard"),
        [
            gettext("{catalogue} of Plumbline {version}, {claims}: {levels}").format(
                catalogue=_named(standard),
                version=standard.version,
                claims=counted(len(standard.levels), "claim"),
                levels=_by_level(standard.levels.values()),
            ),
            f"SHA-256 {standard.sha256}",
        ],
    )
    verdicts = _verdicts(record, standard)
    decided = [id_ for id_, verdict in verdicts.items() if verdict in _DECIDED]
    if decided:
        levels = _by_level(standard.levels[id_] for id_ in decided)
        yield gettext("Of it decided here"), [f"{counted(len(decided), 'claim')}: {levels}"]
    if len(decided) < len(verdicts):
        yield gettext("Of it not decided here"), list(_undecided(verdicts))
    if gone := list(_left_out(record, standard, verdicts)):
        yield gettext("Left out"), gone


def _named(standard: Standard) -> str:
    """Return the catalogue's format and edition; an older record has no edition."""
    if standard.edition is None:
        return standard.catalogue
    said = gettext("{catalogue}, edition {edition},")
    return said.format(catalogue=standard.catalogue, edition=standard.edition)


def _verdicts(record: RunRecord, standard: Standard) -> dict[str, Verdict]:
    """Return the verdict of each claim that a check is about, in the catalogue's order."""
    found: dict[str, list[Verdict]] = {}
    for claim in record.claims:
        found.setdefault(claim.id, []).append(claim.verdict)
    return {id_: over_topologies(found[id_]) for id_ in standard.levels if id_ in found}


def _undecided(verdicts: dict[str, Verdict]) -> Iterator[str]:
    for verdict in REPORTED_ORDER:
        ids = [id_ for id_, seen in verdicts.items() if seen is verdict]
        if ids and verdict not in _DECIDED:
            yield f"{word(verdict)} {len(ids)}: {' '.join(runs_of(ids))}"


def _left_out(record: RunRecord, standard: Standard, verdicts: dict[str, Verdict]) -> Iterator[str]:
    """Yield what no check was made of, and the checks that were not made, with the reason."""
    said = gettext("{what} ({why}): {claims}")
    if gone := [id_ for id_ in standard.levels if id_ not in verdicts]:
        other = gettext("they are about other networks or hosts")
        yield said.format(
            what=counted(len(gone), "claim"),
            why=", ".join(standard.selected) or other,
            claims=" ".join(runs_of(gone)),
        )
    withheld = [
        check for check in record.checks if (check.reason or "").endswith(ONLY_WITH_DISRUPTIVE)
    ]
    if withheld:
        about = {id_ for each in withheld for id_ in each.claims}
        yield said.format(
            what=counted(len(withheld), "check"),
            why=gettext("made only with {option}").format(option="--disruptive"),
            claims=" ".join(runs_of(sorted(about))),
        )


def _by_level(levels: Iterable[str]) -> str:
    return ", ".join(f"{word(level)} {number}" for level, number in Counter(levels).items())
