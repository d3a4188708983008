# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands with their output, as evidence has them, taken apart into one section for each.

    [host]$ nft list ruleset
    table ip filter {
    -> exit 0 after 0.03 s

Which commands were run, and how often, depends on how long something took; what they said is what
can be compared. So a command that was run several times is one section, in which an output that
was the same as the one before stands once.
"""

import json
import re

COMMANDS = "commands.txt"
# [host]$ nft list ruleset
_BEGIN = re.compile(r"^\[[^\]\n]+\]\$ ")


def sections(name: str, text: str) -> dict[str, list[str]]:
    """Return the lines of a file of evidence by section; a file without any is one, named ""."""
    if name == COMMANDS:
        return _by_command(text)
    if name.endswith(".json"):
        text = _written_out(text)
    return {"": text.splitlines()}


def _by_command(text: str) -> dict[str, list[str]]:
    outputs: dict[str, list[list[str]]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if _BEGIN.match(line):
            current = []
            outputs.setdefault(line, []).append(current)
        elif outputs:
            current.append(line.rstrip())
    return {command: _each_once(said) for command, said in outputs.items()}


def _each_once(outputs: list[list[str]]) -> list[str]:
    kept = [said for said, before in zip(outputs, [None, *outputs], strict=False) if said != before]
    return [line for said in kept for line in said]


def _written_out(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False)
    except ValueError:
        return text
