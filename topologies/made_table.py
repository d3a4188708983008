# SPDX-License-Identifier: GPL-2.0-or-later
"""A table of `docs/topologies.md` that is made from the code, between two marks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).resolve().parents[1] / "docs" / "topologies.md"


@dataclass(frozen=True)
class MadeTable:
    """A table, or several, in Markdown.

    Attributes:
        begin: the mark before it, with the command that makes it.
        end: the mark behind it.
        text: the table of this release.
    """

    begin: str
    end: str
    text: str

    def written(self, page: str) -> str:
        """Return the text of the documentation with the table of this release."""
        before, begin, rest = page.partition(self.begin)
        _, end, after = rest.partition(self.end)
        return f"{before}{begin}\n\n{self.text}\n\n{end}{after}"

    def write(self) -> None:
        """Write it into the documentation."""
        DOCS.write_text(self.written(DOCS.read_text(encoding="utf-8")), encoding="utf-8")
