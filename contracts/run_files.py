# SPDX-License-Identifier: GPL-2.0-or-later
"""The names of the files and folders in a run's folder."""

from pathlib import Path

RECORD = "run.json"
EVIDENCE = "evidence"
JUNIT = "junit.xml"
ALLURE = "allure-results"
PAGE = "report.html"
# The plan of checks, until the recorder has taken it over.
PLAN = ".plan.json"
# Locks of the workers, as long as the run goes on.
TURNS = (".gate", ".room")
# Of a run in a lab: what its serial console printed.
LAB_CONSOLE = "lab-console.txt"
# Of one that ended before its run: QEMU's own messages, with the state of the CPU at each reset.
LAB_EMULATOR = "lab-emulator.txt"
# The folder of runs without --output, and the link in it to the newest.
RUNS = "runs"
LATEST = "latest"
LATEST_RUN = Path(RUNS, LATEST)
