# SPDX-License-Identifier: GPL-2.0-or-later
"""The load beside a lab, as its launcher writes it down and the run in the lab reads it."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

FILE = "outer-load"
# What the lab has mounted there is the folder of its orders (launcher/lab/guestside/init).
SEEN_IN_LAB = Path("/run/job") / FILE


@dataclass(frozen=True)
class OuterLoad:
    """Sums since the lab's start.

    Attributes:
        number: of this figure; each has the next one.
        foreign_s: CPU seconds of other processes than the lab and its launcher.
        given_s: CPU seconds that all cores of the machine had to give.
    """

    number: int = 0
    foreign_s: float = 0.0
    given_s: float = 0.0

    def write(self, folder: Path) -> None:
        """Put the figure into a folder, in place of the one before.

        Under a name that the lab, which may write there too, cannot have made a link of.
        """
        handle, name = tempfile.mkstemp(dir=folder)
        with os.fdopen(handle, "w") as file:
            file.write(f"{self.number} {self.foreign_s:.3f} {self.given_s:.3f}\n")
        Path(name).replace(folder / FILE)

    @classmethod
    def read(cls, file: Path) -> "OuterLoad":
        """Return the figure of a file.

        Raises:
            OSError: there is none.
            ValueError: it is none.
        """
        number, foreign_s, given_s = file.read_text().split()
        return cls(int(number), float(foreign_s), float(given_s))
