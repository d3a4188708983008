# SPDX-License-Identifier: GPL-2.0-or-later
"""The privileges that a staged host does not have: those that reach beyond its namespaces.

Source: capabilities(7); prctl(2), PR_CAPBSET_DROP.
"""

import ctypes
import os
from types import MappingProxyType
from typing import Final

PR_CAPBSET_DROP = 24
# By setpriv's names, with the numbers of linux/capability.h.
WITHHELD: Final = MappingProxyType(
    {
        "sys_module": 16,
        "sys_rawio": 17,
        "sys_boot": 22,
        "sys_time": 25,
        "mknod": 27,
        "mac_override": 32,
        "mac_admin": 33,
        "syslog": 34,
        "wake_alarm": 35,
        "block_suspend": 36,
    }
)


def drop() -> None:
    """Take them from this process's bounding set, and so from every program it becomes or starts.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for name, number in WITHHELD.items():
        if libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"capability {name}: {os.strerror(code)}")


def without() -> list[str]:
    """Return the words that start a command without them (setpriv)."""
    names = ",".join(f"-{name}" for name in WITHHELD)
    return ["setpriv", f"--bounding-set={names}", f"--inh-caps={names}", "--"]
