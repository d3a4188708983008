# SPDX-License-Identifier: GPL-2.0-or-later
"""Is a bundle as it was made, and who signed it?"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.language import ENGLISH, spoken
from contracts.run_files import PAGE, RECORD
from reports.bundle import archive
from reports.bundle.bundle_writer import MANIFEST, REDACTION, SIGNATURE, top_folder
from reports.bundle.signature import signed_by
from reports.evidence_integrity import evidence, growing
from reports.exports.verdict_counts import counts_line
from reports.record import RunRecord, parse
from reports.report_error import ReportError
from reports.run_verdict import run_verdict
from reports.wording import counted

# "8a04…(64 digits)  evidence/nat.masquerades_nat/commands.txt"
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_SEALS = (MANIFEST, SIGNATURE)
_NAMED_MAX = 10
_ALTERED = "this is not the bundle that was made; ask for it again"


@dataclass(frozen=True)
class BundleContents:
    """What is in an archive.

    Attributes:
        top: the one folder that all is in.
        hashes: SHA-256 of each file, by its path in that folder.
        kept: the content of manifest, signature and record, by path.
    """

    top: str
    hashes: Mapping[str, str]
    kept: Mapping[str, bytes]


@spoken(ENGLISH)
def verify(file: Path, allowed: Path | None, signer: str | None) -> Iterator[str]:
    """Return what was verified, line by line, when everything was.

    Args:
        file: the bundle.
        allowed: who may have signed it, in ssh-keygen's format; None asks for no signature.
        signer: which of them it must be.

    Raises:
        ReportError: anything was altered, added, removed or renamed, or the signature is not good.
    """
    contents = _contents(file)
    listed = _manifest(file, contents)
    _require_as_listed(file, contents, listed)
    record = parse(contents.kept[RECORD], f"{file}: {RECORD}")
    _require_of_record(file, contents, record)
    number = sum(1 for path in listed if path not in (PAGE, RECORD, REDACTION))
    said = [f"{file}: whole: {PAGE}, {RECORD} and {counted(number, 'file')} of evidence"]
    if SIGNATURE in contents.kept:
        who = signed_by(contents.kept[MANIFEST], contents.kept[SIGNATURE], allowed, signer)
        said.append(f"signed by {who}")
    elif allowed is not None:
        raise ReportError(f"{file}: not signed", "ask for one that is: ./plumbline report --sign")
    else:
        said.append("not signed: its manifest could have been made anew after a change")
    if record.redacted:
        said.append(f"redacted: {REDACTION} says what was replaced")
    said.append(f"run {record.id}: {run_verdict(record).says}: {counts_line(record)}")
    return iter(said)


def _contents(file: Path) -> BundleContents:
    hashes: dict[str, str] = {}
    kept: dict[str, bytes] = {}
    tops: set[str] = set()
    for member in archive.members(file, frozenset({MANIFEST, SIGNATURE, RECORD})):
        top, _, path = member.path.partition("/")
        tops.add(top)
        hashes[path] = member.sha256
        if path in (MANIFEST, SIGNATURE, RECORD):
            kept[path] = member.content
    if len(tops) != 1 or "" in hashes:
        raise ReportError(f"{file}: not one folder, as a bundle is", _ALTERED)
    for needed in (MANIFEST, RECORD, PAGE):
        if needed not in hashes:
            raise ReportError(f"{file}: {needed} was removed", _ALTERED)
    return BundleContents(tops.pop(), hashes, kept)


def _manifest(file: Path, contents: BundleContents) -> dict[str, str]:
    text = contents.kept[MANIFEST].decode("utf-8", "replace")
    listed: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        found = _LINE.fullmatch(line)
        if found is None or found[2] in listed:
            raise ReportError(
                f"{file}: {MANIFEST}:{number}: not a hash and a path of its own", _ALTERED
            )
        listed[found[2]] = found[1]
    return listed


def _require_as_listed(file: Path, contents: BundleContents, listed: Mapping[str, str]) -> None:
    there = {path: known for path, known in contents.hashes.items() if path not in _SEALS}
    wrong = [f"{path} was removed" for path in sorted(set(listed) - set(there))]
    wrong += [f"{path} was added" for path in sorted(set(there) - set(listed))]
    wrong += [
        f"{path} was altered"
        for path in sorted(set(there) & set(listed))
        if there[path] != listed[path]
    ]
    if wrong:
        raise ReportError(f"{file}: {'; '.join(wrong[:_NAMED_MAX])}{_more(wrong)}", _ALTERED)


def _more(wrong: list[str]) -> str:
    left = len(wrong) - _NAMED_MAX
    return f"; and {left} more" if left > 0 else ""


def _require_of_record(file: Path, contents: BundleContents, record: RunRecord) -> None:
    """Check what a manifest made anew would not show: that all belongs to this one run."""
    if contents.top != top_folder(record):
        raise ReportError(
            f"{file}: its folder {contents.top!r} was renamed; it was {top_folder(record)!r}",
            _ALTERED,
        )
    named = {each.path: each.sha256 for each in evidence(record)}
    others = set(contents.hashes) - set(named) - {*_SEALS, PAGE, RECORD}
    if foreign := sorted(others - ({REDACTION} if record.redacted else set())):
        raise ReportError(f"{file}: {foreign[0]} is no part of the run", _ALTERED)
    unsettled = growing(record)
    for path, known in named.items():
        if contents.hashes.get(path) != known and path not in unsettled:
            raise ReportError(f"{file}: {path} is not as {RECORD} says", _ALTERED)
