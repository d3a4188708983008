# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m reports.compare`: what `./plumbline compare` hands over to in its environment."""

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from reports.compare.comparing import compare
from reports.compare.hosts import NotComparable
from reports.compare.model import Comparison
from reports.compare.quantities import Criteria
from reports.compare.reading import read, runs
from reports.compare.trend import Trend, trend_of
from reports.record import RecordError
from reports.screen import WIDTH_OF_A_LOG
from reports.verdict import EXIT_CONFORMS, EXIT_USAGE

FORMATS = ("terminal", "md", "html", "json")


def main(argv: Sequence[str]) -> int:
    """Compare, or draw a trend, and return the exit code."""
    options = _parser().parse_args(argv)
    try:
        if options.trend is not None:
            _write(_trend(options), options.output)
            return EXIT_CONFORMS
        found = _compared(options)
        _write(_comparison(found, options), options.output)
    except (RecordError, NotComparable) as error:
        print(f"plumbline: {error}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        print(f"plumbline: {options.output}: {error.strerror}; name another file", file=sys.stderr)
        return EXIT_USAGE
    return found.exit_code


def _parser() -> argparse.ArgumentParser:
    """The launcher has checked what was typed, and explains it: here is only what there is."""
    parser = argparse.ArgumentParser(prog="python -m reports.compare", allow_abbrev=False)
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN")
    parser.add_argument("--trend", type=Path)
    parser.add_argument("--format", choices=FORMATS, default="terminal")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--topology", action="append", default=[])
    usual = Criteria()
    parser.add_argument("--level", type=float, default=100 * usual.level)
    parser.add_argument("--power", type=float, default=100 * usual.power)
    parser.add_argument("--relevant", type=float, default=usual.relevant_percent)
    return parser


def _compared(options: argparse.Namespace) -> Comparison:
    before, after = (read(place) for place in options.runs)
    criteria = Criteria(
        level=options.level / 100,
        power=options.power / 100,
        relevant_percent=options.relevant,
    )
    return compare(before, after, criteria, options.topology)


def _comparison(found: Comparison, options: argparse.Namespace) -> str | None:
    """Return the text in the format that was asked for, or print to the terminal."""
    if options.format == "json":
        return found.model_dump_json(indent=1) + "\n"
    if options.format == "md":
        from reports.compare.markdown import page

        return page(found)
    if options.format == "html":
        from reports.compare.html import comparison_page

        return comparison_page(found)
    from reports.compare.terminal import show

    return _shown(lambda console: show(found, console), options.output)


def _trend(options: argparse.Namespace) -> str | None:
    found: Trend = trend_of(*runs(options.trend), options.topology)
    if options.format == "json":
        return found.model_dump_json(indent=1) + "\n"
    if options.format == "md":
        from reports.compare.trend_text import page

        return page(found)
    if options.format == "html":
        from reports.compare.html import trend_page

        return trend_page(found)
    from reports.compare.trend_text import show as show_trend

    return _shown(lambda console: show_trend(found, console), options.output)


def _shown(draw: Callable[[Console], None], output: Path | None) -> str | None:
    """Draw on the terminal and return None; for a file, return what would be drawn as plain text.

    Text of a host or a guest is never taken for markup or an escape sequence: rich leaves control
    characters out.
    """
    on_terminal = output is None and sys.stdout.isatty()
    console = Console(
        width=None if on_terminal else WIDTH_OF_A_LOG,
        record=output is not None,
        file=io.StringIO() if output is not None else sys.stdout,
        markup=False,
        highlight=False,
        emoji=False,
    )
    draw(console)
    return console.export_text() if output is not None else None


def _write(text: str | None, output: Path | None) -> None:
    """Write a text to a file, or else to standard output; None was printed already."""
    if text is None:
        return
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
