# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline man`: prints the manual page, made from the parsers."""

from collections.abc import Sequence

from launcher.arguments import Parser

EXAMPLES = (
    ("./plumbline man | man -l -", "read it"),
    ("./plumbline man > /usr/local/share/man/man1/plumbline.1", "for man plumbline"),
)


def parser() -> Parser:
    """Return the parser of `man`."""
    return Parser("man", "Print the manual page.", EXAMPLES)


def main(argv: Sequence[str]) -> int:
    """Print it."""
    parser().parse(argv)
    # Imported here: --help needs none of it, and this imports it.
    from launcher.interface import manual

    print(manual.page(), end="")
    return 0
