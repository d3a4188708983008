# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the terminal plugin prints: lines that stay and, on a terminal, one status line below."""

import io
import os
import sys
from collections.abc import Callable
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

# A log has no width. The matrix gets this one, which is also the width of the source.
WIDTH_OF_A_LOG = 100

# The status line shows whole seconds; twice a second it is never behind by a visible amount.
REFRESHES_PER_SECOND = 2


class Screen:
    """The console and its status line."""

    def __init__(self, color: str, status: Callable[[], Text] | None) -> None:
        """Take over standard output.

        Args:
            color: `auto`, `yes` or `no`, as pytest's --color.
            status: returns the last line's text; None for no status line. Without a terminal
                there is none in any case.
        """
        self._file = _beside_capture(sys.stdout)
        self._fd = self._file.fileno() if self._file.isatty() else None
        on_terminal = self._fd is not None
        self.console = Console(
            file=self._file,
            # Said here, because FORCE_COLOR would make rich take a pipe for a terminal.
            force_terminal=on_terminal or color == "yes",
            no_color=True if color == "no" else None,
            force_interactive=on_terminal,
            width=None if on_terminal else WIDTH_OF_A_LOG,
            soft_wrap=False,
            markup=False,
            highlight=False,
            emoji=False,
        )
        self._live: Live | None = None
        if on_terminal and status is not None and not self.console.is_dumb_terminal:
            self._start(status)

    @property
    def is_terminal(self) -> bool:
        """Whether it has a width; a pipe and a file take a line of any length."""
        return self._fd is not None

    def room(self, taken: int = 0) -> int | None:
        """Return the columns that are left beside `taken`; None where any line is in place."""
        return self.console.width - taken if self.is_terminal else None

    def _start(self, status: Callable[[], Text]) -> None:
        def fitting() -> Text:
            self._fit()
            line = status()
            line.truncate(self.console.width - 1, overflow="ellipsis")
            return line

        self._live = Live(
            console=self.console,
            get_renderable=fitting,
            transient=True,
            refresh_per_second=REFRESHES_PER_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()
        # A run that is killed must not leave its user without a cursor.
        self.console.show_cursor(True)

    def print(self, line: Text | str = "") -> None:
        """Print a line that stays; it is never broken, so cut it to size before."""
        self._fit()
        self.console.print(line, soft_wrap=True)

    def end_status(self) -> None:
        """Take the status line away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def close(self) -> None:
        """Leave standard output as it was."""
        self.end_status()
        if self._file is not sys.stdout:
            self._file.close()

    def _fit(self) -> None:
        """Follow the terminal's width.

        Rich would ask the standard streams, but while a check runs pytest has them captured.
        """
        if self._fd is not None:
            self.console.width = os.get_terminal_size(self._fd).columns or 80


def _beside_capture(stream: TextIO) -> TextIO:
    """Return a stream to where `stream` goes now, whatever is put on its descriptor later.

    pytest puts a file in place of descriptor 1 while a check runs, and the status line is written
    just then.
    """
    try:
        own = os.dup(stream.fileno())
    except (io.UnsupportedOperation, AttributeError):
        return stream
    stream.flush()
    return os.fdopen(own, "w", encoding=stream.encoding, errors="replace", buffering=1)
