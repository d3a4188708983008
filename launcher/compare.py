# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline compare`: the changes between two runs, or over many."""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from contracts.language import chosen
from contracts.run_files import RECORD
from launcher.arguments import Parser, add_language, one_of
from launcher.launcher_error import UsageError
from launcher.waivers import add_waiver_options, waiver_order, waiver_values

FORMATS = ("terminal", "md", "html", "json")
# The format by the ending of the file name.
SUFFIXES = {".html": "html", ".htm": "html", ".md": "md", ".json": "json"}

EXAMPLES = (
    ("./plumbline compare before/ after/", "the changes, on the terminal"),
    ("./plumbline compare before/ after/ --output changes.html", "as a page"),
    ("./plumbline compare before/ after/ --format md", "for a pipeline's job summary"),
    ("./plumbline compare before/ after/ --topology nat", "of one topology only"),
    ("./plumbline compare --trend runs/ --output trend.html", "all runs of a folder, as a page"),
    ("sudo ./plumbline run --samples 10 --interleave", "a run with enough samples to compare"),
)


def parser() -> Parser:
    """Return the parser of `compare`'s options."""
    own = Parser(
        "compare",
        "Show changes and regressions between two runs, or over many.",
        EXAMPLES,
    )
    add = own.add_argument
    add("before", nargs="?", type=Path, metavar="BEFORE", help=f"a run's folder, or its {RECORD}")
    add("after", nargs="?", type=Path, metavar="AFTER", help="the later run, likewise")
    add(
        "--trend",
        type=Path,
        metavar="FOLDER",
        help="in place of two runs: verdicts and measurements of all runs in this folder",
    )
    add(
        "--format",
        type=one_of(*FORMATS),
        metavar="|".join(FORMATS),
        help="default: the format of --output's ending, else terminal",
    )
    add("--output", type=Path, metavar="FILE", help="write to FILE instead of printing")
    add(
        "--topology",
        action="append",
        default=[],
        metavar="NAME",
        help="only this topology; repeatable",
    )
    add(
        "--level",
        type=_percent(0.001, 50.0),
        default=5.0,
        metavar="PERCENT",
        help="share of comparisons without a real change that may give a false alarm (default: 5)",
    )
    add(
        "--power",
        type=_percent(1.0, 99.9),
        default=80.0,
        metavar="PERCENT",
        help="probability of detecting a change of the size reported as detectable (default: 80)",
    )
    add(
        "--relevant",
        type=_percent(0.0, 100.0),
        default=5.0,
        metavar="PERCENT",
        help="the smallest change of a median that counts as a regression (default: 5)",
    )
    add(
        "--accept-few-samples",
        action="store_true",
        help="too few samples to judge a quantity leave nothing open: verdicts decide",
    )
    add(
        "--accept-dependent-samples",
        action="store_true",
        help="samples that depend on one another leave nothing open: verdicts decide",
    )
    add_waiver_options(own)
    add_language(own)
    return own


def main(argv: Sequence[str]) -> int:
    """Check what was asked for, and hand over; returns only by an exception."""
    options = parser().parse(argv)
    _require_what_to_compare(options)
    if options.format is None:
        options.format = SUFFIXES.get(options.output.suffix if options.output else "", "terminal")
    if options.output is not None and not options.output.absolute().parent.is_dir():
        raise UsageError(
            f"compare --output {options.output}: there is no folder "
            f"{options.output.absolute().parent}",
            "make it, or name another file",
        )
    order = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in waiver_order(options).items()
    }
    order["lang"] = chosen(options.lang, os.environ)
    # Imported here: --help needs none of it.
    from launcher import venv_exec

    venv_exec.exec_in_venv("reports.compare.compare_command", order)


def _require_what_to_compare(options: argparse.Namespace) -> None:
    hint = "./plumbline compare BEFORE AFTER, or ./plumbline compare --trend FOLDER"
    if options.trend is not None and options.before is not None:
        raise UsageError(f"compare: --trend takes no run beside it, got {options.before}", hint)
    given = [name for name, value in waiver_values(options).items() if value is not None]
    if options.trend is not None and given:
        raise UsageError(
            f"compare: --trend shows verdicts as seen and takes no {given[0]}",
            "leave it out, or compare two runs",
        )
    if options.trend is None and options.after is None:
        raise UsageError("compare: expected two runs", hint)
    for place in (options.before, options.after, options.trend):
        if place is not None and not os.path.lexists(place):
            raise UsageError(f"compare {place}: there is no such file or folder", hint)


def _percent(least: float, most: float) -> Callable[[str], float]:
    """Return an argument type that takes a number of percent from `least` to `most`."""

    def percent(word: str) -> float:
        try:
            value = float(word)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"{word!r} is no number of percent from {least:g} to {most:g}"
            )
        return value

    return percent
