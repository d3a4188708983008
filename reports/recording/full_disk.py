# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk without room, found in an exception of any plugin that writes into a run's folder."""

import errno
from collections.abc import Iterator
from pathlib import Path

# No space; the user's quota is used up; mounted read-only after an error of the disk.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def no_room(error: BaseException) -> OSError | None:
    """Return the exception that says so, among those that led to one; None: there is none."""
    for each in _chain(error, set()):
        if isinstance(each, OSError) and each.errno in NO_ROOM:
            return each
    return None


def unwritten(error: OSError, output: Path) -> str:
    """Return what to say of a record that cannot be written.

    Args:
        error: why.
        output: the folder of the record.
    """
    return (
        f"the record cannot be written to {output}: {error.strerror}; free space there, or name "
        "another folder with --output"
    )


def _chain(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    yield error
    for each in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield from _chain(each, seen)
    yield from _chain(error.__cause__, seen)
    yield from _chain(error.__context__, seen)
