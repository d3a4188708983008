# SPDX-License-Identifier: GPL-2.0-or-later
"""Completion for fish."""

from collections.abc import Iterator

from launcher.interface.described import Option, Subcommand, Value, subcommands

_HEAD = """\
# Completion of plumbline for fish, made by ./plumbline completion fish.
function __plumbline_is
    set -l typed (commandline -opc)
    test (count $typed) -ge 2; and contains -- $typed[2] $argv
end
function __plumbline_begins
    test (count (commandline -opc)) -eq 1
end
complete -c plumbline -f
complete -c plumbline -n __plumbline_begins -l help -d 'the subcommands'
complete -c plumbline -n __plumbline_begins -l version -d 'the version'
"""


def script() -> str:
    """Return the script."""
    lines = [line for each in subcommands() for line in _lines(each)]
    return _HEAD + "".join(f"complete -c plumbline -n {line}\n" for line in lines)


def _lines(each: Subcommand) -> Iterator[str]:
    yield f"__plumbline_begins -a {each.name} -d {_quoted(each.summary)}"
    here = _quoted(f"__plumbline_is {each.name}")
    yield from (f"{here} {_option(option)}" for option in (*each.options, *each.taken))
    for value in each.positionals:
        if value.words or value.files:
            yield f"{here} {_values(value)}"


def _option(option: Option) -> str:
    names = " ".join(
        f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags
    )
    value = "" if option.value is None else f" -r {_values(option.value)}"
    return f"{names}{value} -d {_quoted(option.help)}"


def _values(value: Value) -> str:
    files = "-F" if value.files else "-f"
    return f"{files} -a {_quoted(' '.join(value.words))}" if value.words else files


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
