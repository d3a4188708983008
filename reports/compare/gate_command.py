# SPDX-License-Identifier: GPL-2.0-or-later
"""The end of a gate: its two runs compared, in every form, and its answer in one sentence.

The launcher has made the runs, and `launcher.venv_main` calls `main` in the virtual environment.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from contracts.exit_codes import EXIT_CONFORMS, EXIT_USAGE
from contracts.language import ENGLISH, spoken
from reports.compare.compare_command import compared, printed
from reports.compare.comparison_pages import comparison_html
from reports.compare.gate_answer import answer_of
from reports.report_error import ReportError
from reports.report_file import put


class GateOrder(BaseModel):
    """What is asked for.

    Attributes:
        before, after: the folders of the two runs.
        comparison: the file for programs, always in English.
        page: the file for people.
        answer: the file for the exit code and the sentence.
        is_unseen: whether the end of the command between the runs was not seen.
        lang: the language of the reader.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: Path
    after: Path
    comparison: Path
    page: Path
    answer: Path
    is_unseen: bool
    lang: str = ENGLISH


def main(argv: Sequence[str]) -> int:
    """Write comparison, page and answer, and print the comparison; 0, whatever the answer is.

    Args:
        argv: one element, a `GateOrder` as JSON.
    """
    order = GateOrder.model_validate_json(argv[0])
    try:
        with spoken(ENGLISH):
            found = compared(order.before, order.after)
            put(found.model_dump_json(indent=1) + "\n", order.comparison)
        with spoken(order.lang):
            if order.lang != ENGLISH:
                found = compared(order.before, order.after)
            put(comparison_html(found), order.page)
            printed(found)
            code, answer = answer_of(found, is_unseen=order.is_unseen)
    except ReportError as error:
        print(f"plumbline: {error}", file=sys.stderr)
        return EXIT_USAGE
    put(json.dumps({"exit_code": code, "answer": answer}) + "\n", order.answer)
    return EXIT_CONFORMS
