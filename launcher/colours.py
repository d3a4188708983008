# SPDX-License-Identifier: GPL-2.0-or-later
"""Colours of doctor's tables, where their reader has them."""

import os
from collections.abc import Callable
from enum import StrEnum
from typing import TextIO


class Colour(StrEnum):
    """A colour by its code (ECMA-48, SGR)."""

    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    DIM = "2"


def painter(out: TextIO) -> Callable[[str, Colour], str]:
    """Return what colours a text: only on a terminal, and not where NO_COLOR is set."""
    coloured = out.isatty() and not os.environ.get("NO_COLOR")

    def paint(text: str, colour: Colour) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if coloured else text

    return paint
