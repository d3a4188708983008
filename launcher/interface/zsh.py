# SPDX-License-Identifier: GPL-2.0-or-later
"""Completion for zsh."""

from collections.abc import Iterator

from launcher.interface.described import Option, Subcommand, Value, subcommands

_SCRIPT = """\
#compdef plumbline
# Completion of plumbline for zsh, made by ./plumbline completion zsh.
_plumbline() {{
    local -a subcommands=(
{subcommands}
    )
    if (( CURRENT == 2 )); then
        _describe -t subcommands subcommand subcommands
        compadd -- --help --version
        return
    fi
    local subcommand=$words[2]
    shift words
    (( CURRENT-- ))
    case $subcommand in
{cases}
    esac
}}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _plumbline "$@"
else
    compdef _plumbline plumbline
fi
"""


def script() -> str:
    """Return the script."""
    named = (f"        {_quoted(f'{each.name}:{each.summary}')}" for each in subcommands())
    return _SCRIPT.format(
        subcommands="\n".join(named), cases="\n".join(_case(each) for each in subcommands())
    )


def _case(each: Subcommand) -> str:
    lines = " \\\n".join(f"                {_quoted(spec)}" for spec in _specs(each))
    return f"        {each.name})\n            _arguments -S \\\n{lines}\n            ;;"


def _specs(each: Subcommand) -> Iterator[str]:
    yield from (_option(option) for option in (*each.options, *each.taken))
    for number, value in enumerate(each.positionals, 1):
        place = "*" if number == len(each.positionals) else str(number)
        yield f"{place}:{_escaped(value.metavar)}:{_action(value)}"
    if not each.positionals:
        yield "*:word:_default"


def _option(option: Option) -> str:
    flag = option.flags[-1]
    said = f"[{_escaped(option.help)}]"
    if option.value is None:
        return f"{flag}{said}"
    return f"*{flag}={said}:{_escaped(option.value.metavar)}:{_action(option.value)}"


def _action(value: Value) -> str:
    """Return what completes a value: words, files, both, or nothing but its name."""
    words = " ".join(value.words)
    if value.files:
        return f"{{compadd -- {words}; _files}}" if words else "_files"
    return f"({words})" if words else " "


def _escaped(text: str) -> str:
    """Return text as it is between colons and brackets."""
    for sign in ("\\", ":", "[", "]"):
        text = text.replace(sign, f"\\{sign}")
    return text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
