# SPDX-License-Identifier: GPL-2.0-or-later
"""A bridge's stanza as its user wrote it, for ifup."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class GivenStanza:
    """The stanzas of one bridge.

    Attributes:
        text: the user's own lines; `dhcp` is `manual` in them.
        file: where they were read from.
        has_address: ifup gives the bridge its address; else the run does.
    """

    text: str
    file: Path
    has_address: bool
