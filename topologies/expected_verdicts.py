# SPDX-License-Identifier: GPL-2.0-or-later
"""Expected verdicts: which claims a host was seen to conform to, which not, and why that is right.

A file has the claims that were seen on each release and topology. All of them are expected to
conform, but for its exceptions. A claim that was not seen has no expectation. A check that decides
no claim, only a promise of its topology, is named by the beginning of its id.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from contracts.plan import HOST
from topologies import library
from topologies.catalogue import HOST as HOST_TYPE
from topologies.catalogue import claims
from topologies.data_error import DataError, gathered, near_miss
from topologies.document_model import as_model, require_schema
from topologies.verdict_file import (
    SCHEMA,
    ExpectedException,
    ExpectedVerdicts,
    ReleaseName,
    SharedFile,
    TopologyName,
    VerdictFile,
    WrittenException,
)
from topologies.yaml_reader import Document, FieldPath, read

SUITES = Path(__file__).resolve().parent.parent / "suites"
CATALOGUE_HINT = "topologies/claims.yaml has the claims"
# NT-01..NT-12
_RANGE = re.compile(r"(?P<first>(?P<section>[A-Z][A-Z0-9])-\d\d)\.\.(?P<last>(?P=section)-\d\d)")

F = TypeVar("F", bound=SharedFile)
Seen = Mapping[ReleaseName, Mapping[TopologyName, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class KnownNames:
    """The names that a file can use and that are not of topologies.

    Attributes:
        releases: of releases.
        capabilities: of capabilities.
    """

    releases: Collection[str]
    capabilities: Collection[str]


def load(file: Path, known: KnownNames) -> Mapping[ReleaseName, ExpectedVerdicts]:
    """Read a file of expected verdicts, and the shared ones that it names.

    Args:
        file: the file.
        known: the names that it can use.

    Returns:
        What is expected of each release of the file.

    Raises:
        DataError: it has errors; all of them.
    """
    document, written = _read(file, VerdictFile)
    errors: list[DataError] = []
    names = _Names(document, known, errors)
    seen = names.seen(written)
    found = list(_exceptions(names, written, seen, is_shared=False))
    for number, name in enumerate(written.shared):
        if Path(name).name != name:
            names.refuse(("shared", number), f"{name} is not a name; expected a file beside it", "")
            continue
        beside, shared = _read(file.with_name(name), SharedFile)
        found += _exceptions(_Names(beside, known, errors), shared, seen, is_shared=True)
    whole = {
        release: ExpectedVerdicts(about, tuple(each for of, each in found if of == release))
        for release, about in seen.items()
    }
    for release, expected in whole.items():
        errors += [
            document.error(("exceptions",), f"{twice} on {release}; expected one", "take one out")
            for twice in _contradictions(expected.exceptions)
        ]
    if errors:
        raise gathered(errors)
    return whole


def _read(file: Path, model: type[F]) -> tuple[Document, F]:
    document = read(file)
    require_schema(document, SCHEMA)
    return document, as_model(document, model)


def _exceptions(
    names: "_Names", file: SharedFile, seen: Seen, *, is_shared: bool
) -> Iterator[tuple[ReleaseName, ExpectedException]]:
    """Yield an exception for each of its releases and topologies.

    Args:
        names: looks its names up.
        file: the file that has it.
        seen: what was seen of the host.
        is_shared: whether the file is about other hosts too, which may have been seen more of.
    """
    for number, written in enumerate(file.exceptions):
        at: FieldPath = ("exceptions", number)
        ids = names.of_exception(at, written)
        if not ids and not (written.checks and written.topologies):
            if not written.claims:
                names.refuse(
                    at,
                    "it has no claims; expected claims, or topologies and checks that decide none",
                    "name the claims that do not conform",
                )
            continue
        for release in written.releases or seen:
            everywhere = seen.get(release, {})
            places = [name for name in written.topologies or everywhere if name in everywhere]
            about = {name: tuple(i for i in ids if i in everywhere[name]) for name in places}
            for name, claims_there in about.items():
                if claims_there or not ids:
                    yield release, _exception(written, name, claims_there)
            unseen = set(ids) - {each for here in about.values() for each in here}
            if not is_shared and (unseen or not places):
                named = ", ".join(sorted(unseen)) or ", ".join(written.checks)
                where = ", ".join(written.topologies) or "any topology"
                names.refuse(
                    (*at, "claims") if ids else at,
                    f"{named}: not seen on {where} of {release}; expected what is under seen",
                    "add it under seen once a run has decided it, or take it out here",
                )


def _exception(
    written: WrittenException, topology: TopologyName, ids: tuple[str, ...]
) -> ExpectedException:
    return ExpectedException(
        claims=ids,
        topologies=(topology,),
        checks=written.checks,
        lacking=written.lacking,
        having=written.having,
        verdict=written.verdict,
        why=" ".join(written.why.split()),
    )


def _contradictions(exceptions: Sequence[ExpectedException]) -> Iterator[str]:
    """Yield what has two exceptions that are about the same checks."""
    first: dict[tuple[object, ...], ExpectedException] = {}
    for each in exceptions:
        for name in each.claims or each.checks:
            for topology in each.topologies:
                other = first.setdefault((name, topology, each.checks), each)
                if other is not each:
                    yield f"{name} has two exceptions, {other.verdict} and {each.verdict}"


class _Names:
    """The names in one file, looked up; what is wrong with them is kept."""

    def __init__(self, document: Document, known: KnownNames, errors: list[DataError]) -> None:
        self._document = document
        self._known = known
        self._errors = errors

    def seen(self, file: VerdictFile) -> Seen:
        """Return the claims that were seen, ranges written out."""
        return {
            release: {
                topology: self._on(("seen", release, topology), topology, words)
                for topology, words in topologies.items()
                if self._knows(("seen", release, topology), topology, _topologies(), "topology")
            }
            for release, topologies in file.seen.items()
            if self._knows(("seen", release), release, self._known.releases, "release")
        }

    def of_exception(self, at: FieldPath, written: WrittenException) -> tuple[str, ...]:
        """Return the claims of an exception, ranges written out; its other names are looked up."""
        for key, known, kind in (
            ("topologies", _topologies(), "topology"),
            ("releases", self._known.releases, "release"),
            ("lacking", self._known.capabilities, "capability"),
            ("having", self._known.capabilities, "capability"),
        ):
            for number, name in enumerate(getattr(written, key)):
                self._knows((*at, key, number), name, known, kind)
        for number, check in enumerate(written.checks):
            self._require_check((*at, "checks", number), check)
        ids = (self._ids((*at, "claims", n), word) for n, word in enumerate(written.claims))
        return tuple(dict.fromkeys(each for some in ids for each in some))

    def refuse(self, at: FieldPath, message: str, hint: str) -> None:
        """Note an error."""
        self._errors.append(self._document.error(at, message, hint))

    def _on(self, at: FieldPath, topology: TopologyName, words: Sequence[str]) -> tuple[str, ...]:
        """Return the claims and checks of a topology, from ids, ranges and beginnings."""
        found: dict[str, None] = {}
        for number, word in enumerate(words):
            place = (*at, number)
            if "." in word and not _RANGE.fullmatch(word):
                self._require_check(place, word)
                found[word] = None
            for claim in () if word in found else self._ids(place, word):
                if claim not in _claims_about(topology):
                    self.refuse(
                        place,
                        f"{claim} is not about {topology}; expected a claim about it",
                        f"take it out: {CATALOGUE_HINT}, each with its network types",
                    )
                found[claim] = None
        return tuple(found)

    def _ids(self, at: FieldPath, word: str) -> Sequence[str]:
        known = list(claims())
        ends = _RANGE.fullmatch(word)
        first, last = (ends["first"], ends["last"]) if ends else (word, word)
        for end in dict.fromkeys((first, last)):
            if not self._knows(at, end, known, "claim", CATALOGUE_HINT):
                return ()
        if known.index(first) > known.index(last):
            self.refuse(at, f"{word} ends before it begins", f"write {last}..{first}")
        return known[known.index(first) : known.index(last) + 1]

    def _require_check(self, at: FieldPath, check: str) -> None:
        """Check that a suite has a test with this beginning of an id: `property.name`."""
        property_, _, name = check.partition(".")
        suite = SUITES / f"test_{property_}.py"
        wanted = re.compile(rf"^def test_{re.escape(name.partition('[')[0])}\(", re.MULTILINE)
        if not name or not suite.is_file() or not wanted.search(suite.read_text("utf-8")):
            self.refuse(
                at,
                f'no check "{check}"; expected the id of one, as in connectivity.reach',
                "the record of a run has the ids of its checks",
            )

    def _knows(
        self, at: FieldPath, word: str, known: Collection[str], kind: str, hint: str = ""
    ) -> bool:
        """Whether a name is known; if not, that is noted."""
        if word in known:
            return True
        expected = "a claim" if hint else f"one of {', '.join(known)}"
        self.refuse(
            at,
            f'unknown {kind} "{word}"; expected {expected}',
            near_miss(word, known) or hint or "correct it",
        )
        return False


def _topologies() -> tuple[TopologyName, ...]:
    """Return the names that a file can use."""
    return (*library.names(), HOST)


@cache
def _claims_about(topology: TopologyName) -> frozenset[str]:
    """Return the claims that are about a topology, or about the host."""
    if topology == HOST:
        return frozenset(id_ for id_, claim in claims().items() if HOST_TYPE in claim.types)
    loaded = library.load(topology)
    return frozenset(id_ for id_, claim in claims().items() if loaded.applies(claim))
