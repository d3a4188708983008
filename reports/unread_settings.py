# SPDX-License-Identifier: GPL-2.0-or-later
"""What the networks of a run are asked for and no check looks at, as lines."""

from collections.abc import Iterator

from contracts.language import gettext
from reports.record import RunRecord, TopologyRecord, UnreadSetting
from reports.wording import one_line


def unread_settings(record: RunRecord) -> Iterator[str]:
    """Give a line for each element with its attributes, as in `lab, line 9: network/route …`."""
    for topology in record.topologies:
        groups: dict[tuple[str, str, int | None], list[UnreadSetting]] = {}
        for each in topology.not_looked_at:
            groups.setdefault((each.source, each.element, each.line), []).append(each)
        yield from (_line(topology, group) for group in groups.values())


def _line(topology: TopologyRecord, group: list[UnreadSetting]) -> str:
    first = group[0]
    place = first.element
    if first.line is not None:
        place = gettext("line {number}: {element}").format(number=first.line, element=place)
    values = [_value(each) for each in group]
    return " ".join(filter(None, (f"{topology.name}, {place}", *values)))


def _value(setting: UnreadSetting) -> str:
    value = one_line(setting.value)
    if setting.attribute is not None:
        return f"{setting.attribute}={value}"
    return f"= {value}" if value else ""
