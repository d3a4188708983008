# SPDX-License-Identifier: GPL-2.0-or-later
"""Text of doctor's tables, wrapped to their width."""

import textwrap
from typing import Final

WIDTH: Final = 100


def wrapped(text: str, indent: str) -> str:
    """Wrap a text that begins behind an indent; a long path is left whole rather than broken."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    ).lstrip()
