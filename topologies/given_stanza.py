# SPDX-License-Identifier: GPL-2.0-or-later
"""A bridge's stanza as its user wrote it, for ifup."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StanzaCommand:
    """A command of a stanza, which ifup or ifdown runs as root.

    Attributes:
        word: its keyword, as in `post-up`.
        text: the command, with single blanks.
        file: where it was read from.
        line: its line there, counted from 1.
    """

    word: str
    text: str
    file: Path
    line: int


@dataclass(frozen=True)
class GivenStanza:
    """The stanzas of one bridge.

    Attributes:
        text: the user's own lines; `dhcp` is `manual` in them.
        file: where they were read from.
        has_address: ifup gives the bridge its address; else the run does.
        commands: in the order of the lines.
    """

    text: str
    file: Path
    has_address: bool
    commands: tuple[StanzaCommand, ...] = ()
