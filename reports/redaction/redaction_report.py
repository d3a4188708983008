# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of replacements, for the user who is about to give the result away."""

from collections import Counter
from dataclasses import dataclass, field

from contracts.language import ENGLISH, spoken
from reports.wording import counted

LATER = "read what is left before you give it away: no list of patterns knows every site"


@dataclass
class RedactionReport:
    """What was replaced, and what was not passed on.

    Attributes:
        things: how many different ones of each kind were replaced.
        places: in how many places.
        captures: how many packet captures were cut down to headers.
        left_out: path of each file that could not be redacted → why.
    """

    things: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    captures: int = 0
    left_out: dict[str, str] = field(default_factory=dict)

    # A file of a bundle has them, whoever makes it.
    @spoken(ENGLISH)
    def lines(self) -> list[str]:
        """Return all of it as lines."""
        said = [
            f"replaced: {kind}: {number} different, in {counted(self.places[kind], 'place')}"
            for kind, number in sorted(self.things.items())
        ]
        said = said or ["replaced: nothing was found that may identify a site"]
        if self.captures:
            files = counted(self.captures, "capture")
            said.append(f"cut: {files}: addresses replaced, and nothing kept behind the headers")
        said += [f"left out: {path}: {why}" for path, why in sorted(self.left_out.items())]
        return [*said, LATER]
