# SPDX-License-Identifier: GPL-2.0-or-later
"""An interrupt waits for the end of a block, and is not lost."""

import signal
import threading
from collections.abc import Iterator

import pytest

from fixtures.host.deferred_interrupt import deferred_interrupt


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """The handler of a process in the foreground: one in the background ignores interrupts."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


def test_an_interrupt_arrives_after_the_block() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), deferred_interrupt():
        signal.raise_signal(signal.SIGINT)
        done.append("the rest of the block")
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_an_interrupt_nothing_happens() -> None:
    before = signal.getsignal(signal.SIGINT)
    with deferred_interrupt():
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_may_open_things_too() -> None:
    done = []

    def work() -> None:
        with deferred_interrupt():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done
