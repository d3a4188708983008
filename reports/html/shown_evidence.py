# SPDX-License-Identifier: GPL-2.0-or-later
"""Evidence as a page shows it: text up to a limit is in the page, the rest is linked.

The files lie below the folder of the record, but what they hold was written by guests and programs
under test: it is escaped by the templates, and shown with what would not be seen made visible.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from contracts.language import gettext
from contracts.verdicts import BY_GRAVITY
from reports.record import EvidenceFile, RunRecord

KIB = 1024
# Of one file. A rule set, a domain's XML or a console is whole below it; the longest transcripts
# of commands are not, and of those the begin and the end matter most.
FILE_MAX = 48 * KIB
FILE_BEGIN = 36 * KIB
# Of a page: with it a page stays below what mail servers take, and opens at once.
PAGE_MAX = 6 * KIB * KIB
_TEXTS = re.compile(r"^(text/.*|application/(json|xml|yaml)|.*\+(json|xml))$")

# Characters that a terminal obeys and no reader sees: control characters but line feed and tab,
# and those that turn the direction of a text.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL_PICTURES = 0x2400


@dataclass(frozen=True)
class ShownEvidence:
    """One file of evidence in a page.

    Attributes:
        name: as the record has it.
        href: relative to the folder of the record.
        path: the same for a reader.
        sha256: as the record has it.
        media_type: as the record has it.
        size: octets; None where the file is not there.
        begin: text in the page; None: there is none.
        cut: octets left out between `begin` and `end`.
        end: the end of a text that was cut.
        why: the reason why not all of it is in the page; "" where it is.
        fault: the fault of the file; "" if it has none.
        is_no_text: it is of another kind, and only linked.
        is_only_linked: it is a text that the page was not meant to hold.
    """

    name: str
    href: str
    path: str
    sha256: str
    media_type: str
    size: int | None
    begin: str | None = None
    cut: int = 0
    end: str = ""
    why: str = ""
    fault: str = ""
    is_no_text: bool = False
    is_only_linked: bool = False


class EvidenceFiles:
    """Reads the evidence of a record, and keeps count of what a page holds of it.

    Args:
        folder: where run.json is.
        page_max: octets of text that the page may hold.
    """

    def __init__(self, folder: Path, page_max: int = PAGE_MAX) -> None:
        self._folder = folder.resolve()
        self._left = page_max
        self._shown: dict[str, ShownEvidence] = {}

    def take(self, record: RunRecord) -> None:
        """Read every file of a record: the gravest first, as long as the page has room.

        That is what did not conform, by gravity, then the topologies, then what conforms. Beside
        faults, checks are violated on purpose: the page only links to their files.
        """
        grave = sorted(record.checks, key=lambda check: BY_GRAVITY.index(check.verdict))
        topologies = [file for topology in record.topologies for file in topology.evidence]
        if record.faults:
            self._take(topologies, as_text=True)
            self._take((file for check in grave for file in check.evidence), as_text=False)
            return
        conforms = BY_GRAVITY[-1]
        self._take(
            (f for c in grave if c.verdict is not conforms for f in c.evidence), as_text=True
        )
        self._take(topologies, as_text=True)
        self._take((f for c in grave if c.verdict is conforms for f in c.evidence), as_text=True)

    def of(self, files: Iterable[EvidenceFile]) -> list[ShownEvidence]:
        """Return files that were read, as the page shows them."""
        return [self._shown[file.path] for file in files]

    @property
    def faults(self) -> list[ShownEvidence]:
        """The files that are missing, or differ from the record."""
        return [shown for shown in self._shown.values() if shown.fault]

    @property
    def left_out(self) -> list[ShownEvidence]:
        """The texts of which the page holds only a part or nothing."""
        return [s for s in self._shown.values() if s.why and not s.is_only_linked and not s.fault]

    def _take(self, files: Iterable[EvidenceFile], *, as_text: bool) -> None:
        for file in files:
            if file.path not in self._shown:
                self._shown[file.path] = self._read(file, as_text=as_text)

    def _read(self, file: EvidenceFile, *, as_text: bool) -> ShownEvidence:
        plain = ShownEvidence(
            name=file.name,
            href=quote(file.path),
            path=file.path,
            sha256=file.sha256,
            media_type=file.media_type,
            size=None,
        )
        path = self._folder / file.path
        # A link that leads to itself makes Path.resolve raise.
        if not Path(os.path.realpath(path)).is_relative_to(self._folder):
            return replace(plain, fault=gettext("leads out of the folder of the record: not read"))
        try:
            if path.exists() and not path.is_file():
                # Reading a pipe would wait for ever.
                return replace(plain, fault=gettext("is not a plain file: not read"))
            content = path.read_bytes()
        except OSError as error:
            said = gettext("cannot be read: {error}").format(error=error.strerror)
            return replace(plain, fault=said)
        found = replace(plain, size=len(content))
        if hashlib.sha256(content).hexdigest() != file.sha256:
            said = gettext("is not the file that the record names: another SHA-256")
            found = replace(found, fault=said)
        if not _TEXTS.match(file.media_type):
            return replace(found, is_no_text=True)
        if not as_text:
            return replace(found, why=gettext("only linked"), is_only_linked=True)
        return self._with_text(found, content)

    def _with_text(self, found: ShownEvidence, content: bytes) -> ShownEvidence:
        needed = min(len(content), FILE_MAX)
        if needed > self._left:
            return replace(found, why=gettext("this page has no more room for evidence"))
        self._left -= needed
        if len(content) <= FILE_MAX:
            return replace(found, begin=_text(content))
        rest = FILE_MAX - FILE_BEGIN
        return replace(
            found,
            begin=_text(content[:FILE_BEGIN]),
            cut=len(content) - FILE_MAX,
            end=_text(content[-rest:]),
            why=gettext("longer than what this page holds of one file"),
        )


def visible(text: str) -> str:
    """Return text with what would not be seen, or would turn its direction, made visible."""
    return _UNSEEN.sub(_picture, text.replace("\r\n", "\n"))


def is_command(line: str) -> bool:
    """Whether a line of a transcript is a command: `[host]$ ip link`."""
    return line.startswith("[") and "]$ " in line


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < ord(" "):
        return chr(_CONTROL_PICTURES + code)
    return f"‹U+{code:04X}›"


def _text(content: bytes) -> str:
    return visible(content.decode(errors="replace"))
