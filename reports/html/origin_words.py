# SPDX-License-Identifier: GPL-2.0-or-later
"""The words for a topology by its origin: made by the run, or existing on the host."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from contracts.language import gettext, gettext_noop


@dataclass(frozen=True, slots=True)
class OriginWords:
    """What the page says of a topology.

    Attributes:
        behind_name: behind its name.
        promise: the word for who is to reach whom.
        moved: what its names and addresses on the host are.
        former: the word for what they are in place of.
    """

    behind_name: str
    promise: str
    moved: str
    former: str


MADE: Final = OriginWords(
    "",
    gettext_noop("documented"),
    gettext_noop(" in place of the documented ones"),
    gettext_noop("documented"),
)
_BY_ORIGIN: Final = MappingProxyType(
    {
        "made": MADE,
        "existing": OriginWords(
            gettext_noop(" (existing)"),
            gettext_noop("expected"),
            "",
            gettext_noop("without other users"),
        ),
    }
)


def words_for(origin: str | None) -> OriginWords:
    """Return the words for an origin; None: a record from before it was kept, of networks made."""
    words = MADE if origin is None else _BY_ORIGIN[origin]
    return OriginWords(
        gettext(words.behind_name),
        gettext(words.promise),
        gettext(words.moved),
        gettext(words.former),
    )
