# SPDX-License-Identifier: GPL-2.0-or-later
"""What checks of a missing way have in common: silence during it, and answers before and after."""

from collections.abc import Mapping

from fixtures.probe.blocking import Blocking
from fixtures.probe.evidence import Evidence


def require_blocked(
    tried: Mapping[str, Blocking], evidence: Evidence, *, during: str, after: str
) -> None:
    """Require that nothing got through, and that everything did before and after.

    Args:
        tried: the probes by their names.
        evidence: gets the reason.
        during: what has to block them, as in `with policy DROP`.
        after: what is there before and after, as in `with the former policy`.

    Raises:
        AssertionError: something got through.
        Inconclusive: a control did not.
    """
    evidence.reason = "; ".join(
        f"{name}: {seen.before}, {during} {seen.during}, then {after} {seen.after}"
        for name, seen in tried.items()
    )
    for name, seen in tried.items():
        assert seen.complete, f"{name} {during}: {seen.during}"
    for name, seen in tried.items():
        seen.require_controls(f"{name} {after}")
