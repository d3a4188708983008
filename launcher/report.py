# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline report`: a run record as a page, for a pipeline, or as one archive to hand over."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from contracts.language import chosen
from contracts.run_files import LATEST_RUN, RECORD
from launcher.arguments import Parser, add_language, one_of
from launcher.launcher_error import UsageError
from launcher.waivers import add_waiver_options, waiver_order, waiver_values

EXAMPLES = (
    ("./plumbline report", f"{LATEST_RUN} as {LATEST_RUN}/report.html"),
    ("./plumbline report RUN --format md --output -", "for a pipeline's job summary"),
    ("./plumbline report RUN --format junit", "RUN/junit.xml, for a CI server"),
    ("./plumbline report RUN --format allure", "RUN/allure, results for Allure 3"),
    (
        "./plumbline report RUN --bundle run.tar.gz",
        "report and evidence in one archive",
    ),
    ("./plumbline report RUN --bundle run.tar.gz --sign KEY", "signed with an SSH key"),
    (
        "./plumbline report RUN --bundle run.tar.gz --redact",
        "without the identity of the site",
    ),
    (
        "./plumbline report RUN --waivers known.yaml",
        "violations accepted until a day",
    ),
    ("./plumbline report --verify run.tar.gz", "verify that it is intact, and who signed it"),
    ("./plumbline report FOLDER --fleet", "many hosts on one page: docs/fleet.md"),
)
# Of one run, and of the records of many hosts.
FORMATS = ("html", "md", "junit", "allure")
FLEET_FORMATS = ("html", "md", "json", "openmetrics")
_ALL_FORMATS = tuple(dict.fromkeys((*FORMATS, *FLEET_FORMATS)))


def parser() -> Parser:
    """Return the parser of `report`'s options."""
    own = Parser("report", "Render a run record, bundle it, or verify a bundle.", EXAMPLES)
    add = own.add_argument
    add(
        "run",
        nargs="?",
        type=Path,
        metavar="RUN",
        help=f"a run's folder, or its {RECORD}; default: {LATEST_RUN}; with --fleet "
        "the folder that has one of each host",
    )
    add(
        "--format",
        type=one_of(*_ALL_FORMATS),
        metavar="|".join(_ALL_FORMATS),
        help="default: html, or none with --bundle; json and openmetrics are for --fleet, junit "
        "and allure for one run",
    )
    add(
        "--output",
        metavar="FILE|DIR",
        help="the file, for allure a new or empty folder; -: standard output; default: beside "
        f"{RECORD}",
    )
    add("--bundle", type=Path, metavar="FILE", help="one archive (tar.gz) of report and evidence")
    add("--sign", type=Path, metavar="KEY", help="sign the bundle with this SSH key")
    add(
        "--redact",
        action="store_true",
        help="replace data that may identify a site, and list the kinds found",
    )
    add(
        "--redact-also",
        action="append",
        default=[],
        metavar="WORD",
        help="with --redact: replace this word too, such as the site's name; repeatable",
    )
    add("--verify", type=Path, metavar="BUNDLE", help="verify a bundle; write nothing")
    add(
        "--allowed-signers",
        type=Path,
        metavar="FILE",
        help="with --verify: the accepted signers (ssh-keygen, section ALLOWED SIGNERS)",
    )
    add("--signer", metavar="NAME", help="with --allowed-signers: accept only this signer")
    add_waiver_options(own)
    add("--fleet", action="store_true", help="the records of many hosts on one page")
    add_language(own)
    return own


def main(argv: Sequence[str]) -> int:
    """Check the options, and hand over; returns only by an exception."""
    options = parser().parse(argv)
    _refuse_what_contradicts(options)
    if options.fleet:
        _report_fleet(options)
    del options.fleet
    order = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in waiver_order(options).items()
    }
    order["lang"] = chosen(options.lang, os.environ)
    if options.verify is None:
        order["run"] = str(_record(options.run))
    # Imported here: --help needs none of it.
    from launcher import venv_exec

    venv_exec.exec_in_venv("reports.report_command", order)


def _refuse_what_contradicts(options: argparse.Namespace) -> None:
    making = {
        "RUN": options.run,
        "--format": options.format,
        "--output": options.output,
        "--bundle": options.bundle,
        "--sign": options.sign,
        "--redact": options.redact or None,
        **waiver_values(options),
    }
    given = [name for name, value in making.items() if value is not None]
    if options.verify is not None and given:
        raise UsageError(
            f"report: --verify checks a bundle and takes no {given[0]}",
            "see ./plumbline report --help",
        )
    formats = FLEET_FORMATS if options.fleet else FORMATS
    if options.format is not None and options.format not in formats:
        with_fleet = "with" if options.fleet else "without"
        raise UsageError(
            f"report: --format {options.format} is none {with_fleet} --fleet",
            f"one of {', '.join(formats)}",
        )
    needs = (
        ("--sign", options.sign, "--bundle", options.bundle),
        ("--redact-also", options.redact_also or None, "--redact", options.redact or None),
        ("--allowed-signers", options.allowed_signers, "--verify", options.verify),
        ("--signer", options.signer, "--allowed-signers", options.allowed_signers),
    )
    for name, value, other, its_value in needs:
        if value is not None and its_value is None:
            raise UsageError(f"report: {name} goes with {other}", "see ./plumbline report --help")


def _report_fleet(options: argparse.Namespace) -> NoReturn:
    """Hand over the folder of a fleet.

    Raises:
        UsageError: there is none, or an option is for a single run.
    """
    hint = "see ./plumbline report --help"
    if options.run is None or not options.run.is_dir():
        where = "" if options.run is None else f" {options.run}: there is no such folder"
        raise UsageError(f"report --fleet{where or ': expected a folder'}", hint)
    others = {
        "--bundle": options.bundle,
        "--redact": options.redact,
        "--verify": options.verify,
        **waiver_values(options),
    }
    for name, value in others.items():
        if value:
            raise UsageError(f"report: {name} is for one run, and --fleet for many", hint)
    order = {"folder": str(options.run), "format": options.format, "output": options.output}
    order["lang"] = chosen(options.lang, os.environ)
    # Imported here: --help needs none of it.
    from launcher import venv_exec

    venv_exec.exec_in_venv("reports.fleet.fleet_command", order)


def _record(given: Path | None) -> Path:
    """Return the path of the record.

    Raises:
        UsageError: there is none.
    """
    run = given or LATEST_RUN
    record = run / RECORD if run.is_dir() else run
    if record.is_file():
        return record
    if given is None:
        raise UsageError(
            f"report: there is no {record} below this folder", "name a run: ./plumbline report RUN"
        )
    what = f"this folder has no {RECORD}" if run.is_dir() else "there is no such file or folder"
    raise UsageError(f"report {run}: {what}", f"name the folder of a run, or its {RECORD}")
