# SPDX-License-Identifier: GPL-2.0-or-later
"""The end of a gate: its two runs are compared in the virtual environment, to one sentence."""

import json
import shlex
import subprocess
from pathlib import Path

from contracts.language import gettext, gettext_noop, spoken
from launcher.gate_folder import ANSWER, COMPARISON, PAGE, Gate, GateFolder, Step
from launcher.gate_parts import ended, language_of, stop

# Source: Debian policy for packages that need it, update-notifier and unattended-upgrades.
RESTART_WANTED = Path("/run/reboot-required")


def answer(folder: GateFolder, gate: Gate, *, is_unseen: bool) -> int:
    """Compare the two runs, write the page, and end with one sentence."""
    written = folder.place / ANSWER
    for output in (folder.place / COMPARISON, folder.place / PAGE, written):
        output.unlink(missing_ok=True)
    language = language_of(gate)
    order = {
        "before": str(folder.before),
        "after": str(folder.after),
        "comparison": str(folder.place / COMPARISON),
        "page": str(folder.place / PAGE),
        "answer": str(written),
        "is_unseen": is_unseen,
        "lang": language,
    }
    # Imported here: --help needs none of it.
    from launcher import venv_exec

    argv, environment = venv_exec.venv_call("reports.compare.gate_command", order)
    code = ended(subprocess.Popen(argv, env=environment, cwd=gate.place))
    if not written.exists():
        runs = shlex.join([str(folder.before), str(folder.after)])
        said = gettext_noop("compare ended with {ended_with}")
        stop(gate, said, "./plumbline compare {runs}", ended_with=code, runs=runs)
    found = json.loads(written.read_text(encoding="utf-8"))
    written.unlink()
    folder.step(gate, Step.DONE, found["exit_code"], found["answer"])
    print("", found["answer"], folder.place / PAGE, sep="\n", flush=True)
    if gate.here and gate.command and RESTART_WANTED.exists():
        with spoken(language):
            print(
                gettext(
                    "the machine still runs what it ran before: restart it, then "
                    "./plumbline gate --after"
                )
            )
    return int(found["exit_code"])
