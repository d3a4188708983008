# SPDX-License-Identifier: GPL-2.0-or-later
"""The error that stops a report, a comparison or the verification of a bundle."""

from reports.wording import harmless


class ReportError(Exception):
    """A report stops here.

    Attributes:
        message: the fault and its place.
        hint: the expectation, or the next step for the user.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        # A record may come from anywhere, and the message may quote it.
        return harmless("\n  ".join((self.message, *self.hint.splitlines())))
