# SPDX-License-Identifier: GPL-2.0-or-later
"""Completion for bash."""

from collections.abc import Iterator

from launcher.interface.described import Subcommand, Value, subcommands

_SCRIPT = """\
# Completion of plumbline for bash, made by ./plumbline completion bash.
_plumbline() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
    local subcommand=${{COMP_WORDS[1]-}} words= files= options= i
    COMPREPLY=()
    # --option=value is three words to bash.
    if [[ $current == = ]]; then
        current=
    elif [[ $before == = ]]; then
        before=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
    if ((COMP_CWORD == 1)); then
        words='{top}'
    else
        for ((i = 2; i < COMP_CWORD; i++)); do
            if [[ ${{COMP_WORDS[i]}} == -- ]]; then
                compopt -o bashdefault -o default 2>/dev/null
                return
            fi
        done
        case $subcommand in
{subcommands}
        esac
        case "$subcommand $before" in
{values}
        esac
    fi
    if [[ -n $options && ( $current == -* || -z $words$files ) ]]; then
        words=$options files=
    fi
    mapfile -t COMPREPLY < <(
        compgen -W "$words" -- "$current"
        [[ -z $files ]] || compgen -f -- "$current"
    )
    [[ -z $files ]] || compopt -o filenames 2>/dev/null
}}
complete -F _plumbline plumbline
"""


def script() -> str:
    """Return the script."""
    top = " ".join([*(each.name for each in subcommands()), "--help", "--version"])
    return _SCRIPT.format(
        top=top,
        subcommands="\n".join(_subcommand(each) for each in subcommands()),
        values="\n".join(line for each in subcommands() for line in _values(each)),
    )


def _subcommand(each: Subcommand) -> str:
    flags = [flag for option in (*each.options, *each.taken) for flag in option.flags]
    long = " ".join(flag for flag in flags if flag.startswith("--"))
    words = " ".join(word for value in each.positionals for word in value.words)
    files = "yes" if any(value.files for value in each.positionals) else ""
    return f"            {each.name}) options='{long}' words='{words}' files={files} ;;"


def _values(each: Subcommand) -> Iterator[str]:
    """Yield what follows each option that takes a value."""
    for option in (*each.options, *each.taken):
        if option.value is not None:
            pattern = " | ".join(f"'{each.name} {flag}'" for flag in option.flags)
            yield f"            {pattern}) options= {_assigned(option.value)} ;;"


def _assigned(value: Value) -> str:
    return f"words='{' '.join(value.words)}' files={'yes' if value.files else ''}"
