# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands with their output, as evidence has them, taken apart into one section for each.

    [host]$ nft list ruleset
    table ip filter {
    -> exit 0 after 0.03 s

Which commands were run, and how often, depends on how long something took; only their output
can be compared. So a command that was run several times is one section, in which an output that
repeats the one before is left out.
"""

import json
import re

from contracts.volatile_text import normalised

COMMANDS = "commands.txt"
RULESET = "$ nft list ruleset"
# [host]$ nft list ruleset
_BEGIN = re.compile(r"^\[[^\]\n]+\]\$ ")
# A line that no output has, and that no pattern of `normalised` matches.
_BETWEEN = "\f"


def sections(name: str, text: str) -> dict[str, list[str]]:
    """Return the normalised lines of a file of evidence by section.

    A file without any is one section, named "". Addresses are numbered anew in each: one that came
    or went in the output of one command shall not show in all that follow.
    """
    if name == COMMANDS:
        return _by_command(text)
    if name.endswith(".json"):
        text = _written_out(text)
    return {"": normalised(text).splitlines()}


def _by_command(text: str) -> dict[str, list[str]]:
    outputs: dict[str, list[str]] = {}
    command = None
    for line in text.splitlines():
        if _BEGIN.match(line):
            command = normalised(line)
            outputs.setdefault(command, []).append("")
        elif command is not None:
            outputs[command][-1] += f"{line.rstrip()}\n"
    found = {command: _each_once(said) for command, said in outputs.items()}
    return {
        command: _tables_in_order(said) if command.endswith(RULESET) else said
        for command, said in found.items()
    }


def _tables_in_order(lines: list[str]) -> list[str]:
    """Return a ruleset with its tables by name: theirs is the order in which they were made."""
    tables: list[list[str]] = [[]]
    for line in lines:
        tables[-1].append(line)
        if line == "}":
            tables.append([])
    return [line for table in [*sorted(tables[:-1]), tables[-1]] for line in table]


def _each_once(outputs: list[str]) -> list[str]:
    """Return the lines of a command's outputs, without one that repeats the last one."""
    said = normalised(_BETWEEN.join(outputs)).split(_BETWEEN)
    kept = [one for one, before in zip(said, ["", *said], strict=False) if one != before]
    return [line for one in kept for line in one.splitlines()]


def _written_out(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False)
    except ValueError:
        return text
