# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline gate --wait`: the answer of a gate that a systemd unit goes on with."""

import threading

from contracts.language import gettext_noop
from launcher import gate_unit
from launcher.gate_folder import PAGE, Gate, GateFolder, Step
from launcher.gate_parts import stop

INTERVAL_S = 1.0
LOG = "after.log"


def waited_for(folder: GateFolder) -> int:
    """Wait until a gate has its answer, print it, and return the exit code.

    Args:
        folder: the gate's; one is under way in it, or is done.

    Raises:
        LauncherError: it has none, and nothing goes on with it.
    """
    found, goes_on = _looked_at(folder)
    never = threading.Event()
    while goes_on and found.step is not Step.DONE:
        never.wait(INTERVAL_S)
        found, goes_on = _looked_at(folder)
    if found.step is not Step.DONE or found.exit_code is None:
        stop(
            found,
            gettext_noop(
                "it is at the step {step}, and nothing goes on with it; {log} has what the unit "
                "did, where there was a restart"
            ),
            "./plumbline gate --after",
            step=found.step,
            log=folder.place / LOG,
        )
    print(found.answer, folder.place / PAGE, sep="\n")
    return found.exit_code


def _looked_at(folder: GateFolder) -> tuple[Gate, bool]:
    """Return a gate, and whether something goes on with it; the gate is read last."""
    goes_on = gate_unit.goes_on_with(folder.place)
    gate = folder.read()
    assert gate is not None
    return gate, goes_on
