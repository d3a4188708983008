# SPDX-License-Identifier: GPL-2.0-or-later
"""What a report cannot be made from, or a bundle not be believed."""

from reports.wording import harmless


class ReportError(Exception):
    """A report stops here.

    Attributes:
        message: what is wrong and where.
        hint: what was expected, or what to do next.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        # A record may be anybody's, and what is in it may be put in these words.
        return harmless("\n  ".join((self.message, *self.hint.splitlines())))
