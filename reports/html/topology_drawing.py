# SPDX-License-Identifier: GPL-2.0-or-later
"""A topology as a drawing: from the graph in the record to boxes, lines and arrows with places.

From top to bottom: outside, the physical network, the host with its uplink, bridge and TAPs, the
guests. On the right, a lane for each way from one end to another; between guests, below them.
All lengths are in the drawing's own units, which are pixels where it is shown at its size.
"""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from contracts.language import gettext, gettext_noop, word
from contracts.verdicts import Verdict
from reports.html.reach_table import Shape, Way
from reports.record import Built, BuiltNode

MARGIN, PAD, GAP = 6, 12, 12
GUEST_WIDTH = 160
UPPER_WIDTH = 250
LEAST_WIDTH = 300
TITLE, LINE = 19, 15
CABLE = 26
LANE = 36
# Of the typeface that the drawing is set in: a little more than most letters and digits need.
LETTER = 6.3
BELOW_GUESTS = 44

TITLES = {
    "lan": gettext_noop("physical network"),
    "pf": gettext_noop("{name}, physical function"),
    "uplink": gettext_noop("uplink {name}"),
}


@dataclass(frozen=True)
class DrawnBox:
    """A machine or link with its lines of text, each with the place of its base line."""

    kind: str
    title: str
    x: float
    y: float
    width: float
    height: float
    lines: list[tuple[float, str]] = field(default_factory=list)

    @property
    def middle(self) -> float:
        """Its middle from the left."""
        return self.x + self.width / 2

    @property
    def centre(self) -> float:
        """Its middle from the top."""
        return self.y + self.height / 2

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height


@dataclass(frozen=True)
class DrawnLine:
    """What joins two boxes."""

    kind: str
    x1: float
    y1: float
    x2: float
    y2: float
    label: str = ""


@dataclass(frozen=True)
class ReachArrow:
    """A way from one end to another.

    Attributes:
        x1: where it begins, from the left; `y1` from the top.
        x2: where it would arrive; it ends half-way where nothing does.
        sign_x: the place of its verdict.
        says: its meaning in words.
        below: the protocols with this verdict, where not all have it.
    """

    verdict: Verdict
    shape: Shape
    x1: float
    y1: float
    x2: float
    y2: float
    sign_x: float
    sign_y: float
    says: str
    below: str

    @property
    def stop(self) -> tuple[float, float]:
        """Where it is stopped."""
        return self.x1 + (self.x2 - self.x1) * 0.62, self.y1 + (self.y2 - self.y1) * 0.62


@dataclass(frozen=True)
class TopologyDrawing:
    """A drawing in a `width` × `height` box."""

    width: float
    height: float
    boxes: list[DrawnBox]
    lines: list[DrawnLine]
    guides: list[DrawnLine]
    arrows: list[ReachArrow]


def drawing(built: Built, ways: Sequence[Way]) -> TopologyDrawing | None:
    """Place what was built; None where there is nothing to be placed."""
    kinds = {node.kind for node in built.nodes}
    if "host" not in kinds or not kinds & {"bridge", "pf"}:
        return None
    placed = _Placing(built)
    guides, arrows = _lanes(placed, ways)
    return TopologyDrawing(
        width=placed.width + MARGIN + LANE * len(_apart(ways)),
        height=placed.height + (BELOW_GUESTS if len(_apart(ways)) < len(ways) else 0),
        boxes=list(placed.boxes.values()),
        lines=placed.lines,
        guides=guides,
        arrows=arrows,
    )


class _Placing:
    """Gives each node of a graph its box, from the top down."""

    def __init__(self, built: Built) -> None:
        self._of = {node.id: node for node in built.nodes}
        self._links = built.links
        self.boxes: dict[str, DrawnBox] = {}
        self.lines: list[DrawnLine] = []
        self._groups = [(s, self._guests_of(s)) for s in self._kind("bridge", "pf")]
        joined = {guest.id for _, guests in self._groups for guest, _ in guests}
        # A guest whose TAP is no port is drawn too, without a line.
        self._groups[0][1].extend(
            (guest, next((n for n in self._next_to(guest) if n.kind in ("tap", "vf")), None))
            for guest in self._kind("guest")
            if guest.id not in joined
        )
        inner = GAP * (len(self._groups) - 1) + sum(_group_width(g) for _, g in self._groups)
        self._inner = max(LEAST_WIDTH, inner)
        self.width = self._inner + 2 * (MARGIN + PAD)
        y = self._above_the_host()
        y = self._host(y)
        self.height = self._guests(y + CABLE) + MARGIN
        self._join()

    def _kind(self, *kinds: str) -> list[BuiltNode]:
        return [node for node in self._of.values() if node.kind in kinds]

    def _next_to(self, node: BuiltNode) -> list[BuiltNode]:
        ends = [set(link.ends) - {node.id} for link in self._links if node.id in link.ends]
        return [self._of[end] for each in ends for end in each if end in self._of]

    def _guests_of(self, switch: BuiltNode) -> list[tuple[BuiltNode, BuiltNode | None]]:
        """Return a switch's guests, each with the host's end of its NIC."""
        ends = [node for node in self._next_to(switch) if node.kind in ("tap", "vf")]
        return [(g, end) for end in ends for g in self._next_to(end) if g.kind == "guest"]

    def _box(self, node: BuiltNode, x: float, y: float, width: float) -> float:
        """Place a node; return where it ends."""
        name = word(node.name) if node.kind == "outside" else node.name
        title = gettext(TITLES.get(node.kind, "{name}")).format(name=name)
        texts = _wrapped(node.lines, width)
        lines = [(y + TITLE + LINE * (number + 1) - 2, text) for number, text in enumerate(texts)]
        height = TITLE + LINE * len(texts) + (8 if texts else 5)
        self.boxes[node.id] = DrawnBox(node.kind, title, x, y, width, height, lines)
        return y + height

    def _above_the_host(self) -> float:
        y = float(MARGIN)
        width = min(UPPER_WIDTH, self._inner)
        x = MARGIN + PAD + (self._inner - width) / 2
        for node in (*self._kind("outside"), *self._kind("lan")):
            y = self._box(node, x, y, width) + CABLE
        return y

    def _host(self, y: float) -> float:
        host = self._kind("host")[0]
        top, left = y, MARGIN + PAD
        y += TITLE + 6
        for node in self._kind("uplink"):
            width = min(UPPER_WIDTH, self._inner)
            y = self._box(node, left + (self._inner - width) / 2, y, width) + CABLE
        x, below = float(left), y
        for switch, guests in self._groups:
            width = max(_group_width(guests), self._inner if len(self._groups) == 1 else 0)
            bottom = self._box(switch, x, y, width)
            for number, (_, end) in enumerate(guests):
                if end is not None:
                    at = x + number * (GUEST_WIDTH + GAP)
                    below = max(below, self._box(end, at, bottom + CABLE, GUEST_WIDTH))
            below = max(below, bottom)
            x += width + GAP
        height = below + PAD - top
        self.boxes = {
            host.id: DrawnBox("host", word("host"), MARGIN, top, self._inner + 2 * PAD, height),
            **self.boxes,
        }
        return below + PAD

    def _guests(self, y: float) -> float:
        bottom = y
        for switch, guests in self._groups:
            x = self.boxes[switch.id].x
            for guest, _ in guests:
                bottom = max(bottom, self._box(guest, x, y, GUEST_WIDTH))
                x += GUEST_WIDTH + GAP
        return bottom

    def _join(self) -> None:
        """Draw the links between boxes, each from the lower edge of the upper one."""
        for link in self._links:
            ends = [self.boxes[end] for end in link.ends if end in self.boxes]
            if len(ends) != len(link.ends):
                continue
            upper, lower = sorted(ends, key=lambda box: box.y)
            narrow = min(ends, key=lambda box: box.width)
            label = link.name or ""
            self.lines.append(
                DrawnLine(link.kind, narrow.middle, upper.bottom, narrow.middle, lower.y, label)
            )

    def row(self, role: str) -> DrawnBox | None:
        """Return the box at whose height a role's arrows begin and end."""
        kinds = {"guest": ("guest",), "host": ("bridge", "pf"), "outside": ("outside",)}[role]
        found = [self.boxes[node.id] for node in self._kind(*kinds) if node.id in self.boxes]
        return found[-1] if found else None

    def guests_under_test(self) -> list[DrawnBox]:
        """Return the guests on the first switch: arrows are about them."""
        return [self.boxes[guest.id] for guest, _ in self._groups[0][1]]


def _lanes(placed: _Placing, ways: Sequence[Way]) -> tuple[list[DrawnLine], list[ReachArrow]]:
    """Place an arrow for each way, and the guides from the boxes to their ends."""
    arrows = []
    x = placed.width + LANE / 2
    among = [way for way in ways if way.source == way.target]
    for number, way in enumerate(among, 1):
        # One for each family, none over another.
        arrows += _between_guests(placed, way, number / (len(among) + 1))
    for way in _apart(ways):
        begin, end = placed.row(way.source), placed.row(way.target)
        if begin is None or end is None:
            continue
        arrows.append(_arrow(way, (x, begin.centre), (x, end.centre)))
        x += LANE
    roles = {role for way in _apart(ways) for role in (way.source, way.target)}
    right = x - LANE / 2
    guides = [
        DrawnLine("guide", box.x + box.width, box.centre, right, box.centre)
        for role in sorted(roles)
        if (box := placed.row(role)) is not None
    ]
    return guides, arrows


def _between_guests(placed: _Placing, way: Way, down: float) -> list[ReachArrow]:
    """Return the arrow between the guests, at a share of the space below them."""
    boxes = placed.guests_under_test()
    if way.source != "guest" or len(boxes) < 2:  # noqa: PLR2004 - an arrow has two ends
        return []
    y = max(box.bottom for box in boxes) + BELOW_GUESTS * down
    return [_arrow(way, (boxes[0].middle, y), (boxes[-1].middle, y))]


def _arrow(way: Way, begin: tuple[float, float], end: tuple[float, float]) -> ReachArrow:
    share = 0.36 if way.shape == "stopped" else 0.5
    return ReachArrow(
        verdict=way.verdict,
        shape=way.shape,
        x1=begin[0],
        y1=begin[1],
        x2=end[0],
        y2=end[1],
        sign_x=begin[0] + (end[0] - begin[0]) * share,
        sign_y=begin[1] + (end[1] - begin[1]) * share,
        says=way.says,
        below=" ".join(way.exceptions),
    )


def _apart(ways: Iterable[Way]) -> list[Way]:
    return [way for way in ways if way.source != way.target]


def _group_width(guests: Sequence[object]) -> float:
    return max(len(guests), 1) * (GUEST_WIDTH + GAP) - GAP


def _wrapped(lines: Sequence[str], width: float) -> list[str]:
    """Return lines of text that fit into a box; short ones that belong together share one."""
    room = max(int((width - 16) / LETTER), 8)
    joined: list[str] = []
    for line in lines:
        if joined and len(joined[-1]) + len(line) + 3 <= room:
            joined[-1] += f" · {line}"
        else:
            joined.append(line)
    return [part for line in joined for part in textwrap.wrap(line, room) or [""]]
