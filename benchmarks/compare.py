# SPDX-License-Identifier: GPL-2.0-or-later
"""Does the judgement of quantities keep what it promises? A figure for docs/compare.md.

    python -m benchmarks.compare [--comparisons N] [--output docs/compare.svg]

Runs are simulated: samples are drawn, as skewed and as heavy-tailed as those of real runs, and
judged as `./plumbline compare` judges them. Without a difference, how many comparisons have a false
alarm? With one of them worse by so much, how many find it?
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reports.compare.comparison import QuantityOutcome
from reports.compare.measured_quantities import Key, Measured, read
from reports.compare.quantities import Criteria, decisions
from reports.record import Measurement
from reports.warmup import Better

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]
SEED = 20260301
QUANTITIES = 12
SIZES = (3, 5, 7, 8, 10, 15, 20)
WORSE = (0.1, 0.2, 0.3, 0.5)
ALARMS = frozenset({QuantityOutcome.REGRESSED, QuantityOutcome.IMPROVED, QuantityOutcome.SMALL})


def even(rng: np.random.Generator, number: int) -> Floats:
    """Rates that spread by a tenth, as often up as down."""
    return np.exp(rng.normal(0.0, 0.1, number)) * 1000


def dips(rng: np.random.Generator, number: int) -> Floats:
    """Rates of which one in seven is halved, as by another process on the machine."""
    halved = np.where(rng.random(number) < 1 / 7, 0.5, 1.0)
    return even(rng, number) * halved


def tailed(rng: np.random.Generator, number: int) -> Floats:
    """Round trips in ms: most near the least, some ten times as long, their variance infinite."""
    return 1.3 + 0.4 * rng.pareto(1.8, number)


SHAPES: Mapping[str, tuple[Draw, Better]] = {
    "even": (even, "more"),
    "with dips": (dips, "more"),
    "heavy-tailed": (tailed, "less"),
}


@dataclass(frozen=True)
class Shares:
    """What came of simulated comparisons, as shares of them.

    Attributes:
        alarms: those with any alarm, though nothing differed.
        found: by how much worse one quantity was, those that called it regressed.
    """

    alarms: float
    found: dict[float, float]


def simulated(shape: str, size: int, comparisons: int, worse: Sequence[float] = WORSE) -> Shares:
    """Judge simulated comparisons of runs with `size` samples of each quantity."""
    draw, better = SHAPES[shape]
    rng = np.random.default_rng([SEED, size, *shape.encode()])
    alarms, found = 0, dict.fromkeys(worse, 0)
    for _ in range(comparisons):
        before = [draw(rng, size) for _ in range(QUANTITIES)]
        after = [draw(rng, size) for _ in range(QUANTITIES)]
        alarms += any(outcome in ALARMS for outcome in _judged(before, after, better))
        for share in worse:
            factor = 1 - share if better == "more" else 1 / (1 - share)
            outcome = _judged(before, [after[0] * factor, *after[1:]], better)[0]
            found[share] += outcome is QuantityOutcome.REGRESSED
    return Shares(
        alarms / comparisons, {share: times / comparisons for share, times in found.items()}
    )


def _judged(
    before: Sequence[Floats], after: Sequence[Floats], better: Better
) -> list[QuantityOutcome]:
    pairs: dict[Key, tuple[Measured, Measured]] = {
        ("nat", "throughput.x", str(number)): (_read(was, better), _read(now, better))
        for number, (was, now) in enumerate(zip(before, after, strict=True))
    }
    return [decided.outcome for _, decided in sorted(decisions(pairs, Criteria()).items())]


def _read(samples: Floats, better: Better) -> Measured:
    # Without `cold`, which is then decided here as it would be in a run.
    known = {"name": "x", "unit": "Mbit/s", "samples": samples.tolist(), "better": better}
    found = read(Measurement.model_validate(known))
    if found is None:
        raise ValueError("a quantity without samples")
    return found


def main(argv: Sequence[str]) -> int:
    """Simulate, print a table, and draw the figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare")
    parser.add_argument("--comparisons", type=int, default=1000)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(argv)
    results: dict[str, dict[int, Shares]] = {}
    for shape in SHAPES:
        print(f"{shape}: samples, false alarms, found when worse by {WORSE}")
        for size in SIZES:
            shares = simulated(shape, size, options.comparisons)
            results.setdefault(shape, {})[size] = shares
            found = "  ".join(f"{100 * share:5.1f} %" for share in shares.found.values())
            print(f"  {size:3}  {100 * shares.alarms:4.1f} %   {found}", flush=True)
    if options.output is not None:
        options.output.write_text(figure(results, options.comparisons), encoding="utf-8")
    return 0


WIDTH, HEIGHT, LEFT, TOP, GAP, PLOT = 920, 360, 52, 62, 40, 260
COLOURS = ("#7fb3d5", "#3b8bc2", "#1f5f93", "#0b3557")


def figure(results: Mapping[str, Mapping[int, Shares]], comparisons: int) -> str:
    """Return the figure as SVG: a field for each shape, shares over the number of samples."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12" role="img" aria-label="Share of simulated '
        'comparisons with a false alarm, and that found a difference, by samples on each side">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 18, f"{comparisons} simulated comparisons of {QUANTITIES} quantities each"),
        *_legend(),
    ]
    for number, (shape, sizes) in enumerate(results.items()):
        parts += _field(LEFT + number * (PLOT + GAP), shape, sizes)
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> list[str]:
    parts = [_text(LEFT, 38, "one quantity worse by")]
    for number, share in enumerate(WORSE):
        x = LEFT + 150 + number * 75
        parts.append(f'<rect x="{x}" y="29" width="18" height="9" fill="{COLOURS[number]}"/>')
        parts.append(_text(x + 23, 38, f"{100 * share:g} %"))
    x = LEFT + 150 + len(WORSE) * 75
    parts.append(f'<rect x="{x}" y="29" width="18" height="9" fill="#ab1119"/>')
    return [*parts, _text(x + 23, 38, "nothing worse: any false alarm"), *_level_labels(x)]


def _level_labels(x: int) -> list[str]:
    return [_text(x + 230, 38, "dotted: 5 % and 80 %")]


def _field(left: int, shape: str, sizes: Mapping[int, Shares]) -> list[str]:
    def place(size: int, share: float) -> str:
        across = left + (size - SIZES[0]) / (SIZES[-1] - SIZES[0]) * PLOT
        return f"{across:.1f},{TOP + 20 + (1 - share) * 220:.1f}"

    parts = [_text(left, TOP + 8, shape)]
    for share in (0.0, 0.05, 0.8, 1.0):
        dash = ' stroke-dasharray="2 3"' if share in (0.05, 0.8) else ""
        begin, end = (place(size, share).split(",") for size in (SIZES[0], SIZES[-1]))
        parts.append(
            f'<line x1="{begin[0]}" y1="{begin[1]}" x2="{end[0]}" y2="{end[1]}" '
            f'stroke="#858d97"{dash}/>'
        )
        if left == LEFT:
            parts.append(_text(left - 6, float(begin[1]) + 4, f"{100 * share:g} %", "end"))
    for size in SIZES:
        x = float(place(size, 0).split(",")[0])
        parts.append(_text(x, TOP + 256, str(size), "middle"))
    parts.append(_text(left + PLOT / 2, TOP + 276, "samples on each side", "middle"))
    for share, colour in zip(WORSE, COLOURS, strict=True):
        line = " ".join(place(size, shares.found[share]) for size, shares in sizes.items())
        parts.append(_line(line, colour))
    parts.append(
        _line(" ".join(place(size, shares.alarms) for size, shares in sizes.items()), "#ab1119")
    )
    return parts


def _line(points: str, colour: str) -> str:
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>'
        for x, y in (point.split(",") for point in points.split(" "))
    )
    line = f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
    return line + dots


def _text(x: float, y: float, said: str, anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" fill="#16191d" text-anchor="{anchor}">{said}</text>'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
