# SPDX-License-Identifier: GPL-2.0-or-later
"""A subcommand in the virtual environment: `python -m launcher.venv_main MODULE ORDER`.

A defect of Plumbline is no verdict, from the first import on: Python's own exit code for an
exception, 1, would say that a claim is violated or that something is worse.
"""

import importlib
import os
import sys
from types import TracebackType

from contracts.exit_codes import EXIT_INTERRUPTED, EXIT_UNDECIDED


def _broke(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """End as undecided, with a traceback."""
    sys.__excepthook__(kind, error, trace)
    sys.stderr.flush()
    os._exit(EXIT_INTERRUPTED if issubclass(kind, KeyboardInterrupt) else EXIT_UNDECIDED)


if __name__ == "__main__":
    sys.excepthook = _broke
    sys.exit(importlib.import_module(sys.argv[1]).main(sys.argv[2:]))
