# SPDX-License-Identifier: GPL-2.0-or-later
"""Sockets that live in another network namespace."""

import gc
import socket
import warnings
from pathlib import Path

import pytest

from fixtures.host.namespace import open_socket

# Of the tests' own process: to enter it changes nothing, and needs root all the same.
OWN = Path("/proc/self/ns/net")

pytestmark = pytest.mark.host


def test_a_socket_that_cannot_be_bound_is_closed() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(OSError, match="No such device"):
            open_socket(OWN, socket.AF_PACKET, socket.SOCK_RAW, bind_to="plumb-none")
        gc.collect()


def test_a_socket_is_bound_to_its_link() -> None:
    with open_socket(OWN, socket.AF_PACKET, socket.SOCK_RAW, bind_to="lo") as made:
        assert made.getsockname()[0] == "lo"
