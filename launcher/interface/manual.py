# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual page, in the macros of man(7)."""

import textwrap
from collections.abc import Iterator

from contracts.exit_codes import EXIT_MEANINGS
from contracts.run_files import LATEST_RUN, RUNS
from launcher.interface.described import ALSO, Option, Subcommand, subcommands
from launcher.unpacked import identity

_WIDTH = 78
_ESCAPES = {
    "\\": "\\e",
    "-": "\\-",
    "'": "\\(aq",
    "`": "\\(ga",
    "^": "\\(ha",
    "~": "\\(ti",
}
_ENVIRONMENT = (
    (
        "PLUMBLINE_CACHE",
        "the folder of virtual environments, guest images and root folders; by default plumbline "
        "in XDG_CACHE_HOME, or in ~/.cache",
    ),
)
_FILES = (
    (f"{RUNS}/TIME/", f"the record of a run without --output; {LATEST_RUN} is the newest"),
    ("/var/lib/plumbline/", "the journal of a run with --host local, and the folder of gate"),
)


def page() -> str:
    """Return the page."""
    return "".join(f"{line}\n" for line in _lines())


def _lines() -> Iterator[str]:
    here = identity()
    yield f'.TH PLUMBLINE 1 "{here.date or ""}" "Plumbline {_text(here.version)}" "User Commands"'
    yield from (".SH NAME", "plumbline \\- qualify KVM networks against their documentation")
    yield ".SH SYNOPSIS"
    yield ".B plumbline"
    yield ".I SUBCOMMAND"
    yield "[\\fIOPTIONS\\fR]"
    yield from (".SH DESCRIPTION", *_paragraph(_DESCRIPTION))
    yield ".SH SUBCOMMANDS"
    for each in subcommands():
        yield from _subcommand(each)
    yield from (".SH EXIT STATUS", *_list((str(c), said) for c, said in EXIT_MEANINGS.items()))
    yield from (".SH ENVIRONMENT", *_list(_ENVIRONMENT))
    yield from (".SH FILES", *_list(_FILES))
    yield from (".SH SEE ALSO", "The folder")
    yield from (".I docs", "of the clone has a page for each subject.")


_DESCRIPTION = (
    "Plumbline builds documented KVM networks, boots throwaway guests on them, and decides with "
    "packets whether each network conforms to its documentation. It is cloned and run: "
    "./plumbline in the clone is this program."
)


def _subcommand(each: Subcommand) -> Iterator[str]:
    yield f".SS {_text(each.name)}"
    yield from _paragraph(each.description)
    for option in each.options:
        yield from (".TP", _signature(option), *_paragraph(option.help))
    if each.name in ALSO:
        yield from (".PP", f"It takes the options of \\fB{_text(ALSO[each.name])}\\fR as well.")
    yield from (".PP", "Examples:")
    for command, meaning in each.examples:
        yield from (".TP", f"\\fB{_text(command)}\\fR", *_paragraph(meaning))


def _signature(option: Option) -> str:
    flags = ", ".join(f"\\fB{_text(flag)}\\fR" for flag in option.flags)
    return flags if option.value is None else f"{flags} \\fI{_text(option.value.metavar)}\\fR"


def _list(entries: Iterator[tuple[str, str]] | tuple[tuple[str, str], ...]) -> Iterator[str]:
    for name, meaning in entries:
        yield from (".TP", f"\\fB{_text(name)}\\fR", *_paragraph(meaning))


def _paragraph(text: str) -> Iterator[str]:
    """Yield a text on lines as roff likes them; none of them is a request."""
    for line in textwrap.wrap(_text(text), _WIDTH, break_long_words=False, break_on_hyphens=False):
        yield f"\\&{line}" if line.startswith(".") else line


def _text(text: str) -> str:
    """Return text as it is in roff; a hyphen stays one that can be copied to a shell."""
    flat = " ".join(text.split())
    return "".join(_ESCAPES.get(sign, sign) for sign in flat)
