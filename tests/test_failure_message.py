# SPDX-License-Identifier: GPL-2.0-or-later
"""What is told of a check that failed: its own words, its place, and a traceback of our lines."""

import re
from collections.abc import Callable

import pytest

from fixtures.errors import BootFailed, HarnessError, HookCommandFailed, Inconclusive, NotTestable
from fixtures.plugin.failure_message import location, message, trace
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import until
from topologies.library import load


class Loud:
    """Stands for a fixture that an assertion's introspection would print whole."""

    value = 1

    def __repr__(self) -> str:
        return "Standing(topology=…)"


def message_and_introspection() -> None:
    assert Loud().value == 2, "saw 1\nexpected 2"


def bare_assertion() -> None:
    assert Loud().value == 2


def boot() -> None:
    raise BootFailed("guest kvm1 never answered", "[    0.1] Linux\n[    1.2] panic")


def waiting() -> None:
    until(lambda: False, "the port forwards", deadline_s=0.01)


def other() -> None:
    int("x")


def raised(by: Callable[[], None]) -> BaseException:
    with pytest.raises((AssertionError, HarnessError, ValueError)) as caught:
        by()
    return caught.value


@pytest.mark.parametrize(
    ("by", "told"),
    [
        (message_and_introspection, r"saw 1\n  expected 2"),
        (bare_assertion, r"assert 1 == 2"),
        (boot, r"guest kvm1 never answered\n\[    0\.1\] Linux\n\[    1\.2\] panic"),
        (waiting, r"not within 0\.01 s: the port forwards\nlast seen: False"),
        (other, r"ValueError: invalid literal for int\(\) .*"),
    ],
)
def test_the_words_are_the_checks_own(by: Callable[[], None], told: str) -> None:
    error = raised(by)
    assert re.fullmatch(told, message(error))
    assert "Standing(" not in message(error)


@pytest.mark.parametrize("error", [Inconclusive("lost 3 frames"), NotTestable("vlan", "no device")])
def test_sentences_of_the_harness_come_without_their_type(error: Exception) -> None:
    assert message(error) == str(error)


def test_the_place_is_a_line_of_ours_and_the_traceback_begins_there() -> None:
    error = raised(other)
    assert re.fullmatch(r"tests/test_failure_message\.py:\d+", location(error))
    told = trace(error)
    assert "site-packages" not in told
    assert told.splitlines()[-1].startswith("ValueError: ")


def test_an_assertions_introspection_stays_in_the_traceback() -> None:
    error = raised(message_and_introspection)
    assert "Standing(" not in message(error)
    assert "assert 1 == 2" in trace(error)


def test_a_users_own_command_is_told_on_one_line_with_its_last_lines_below() -> None:
    said = "".join(f"line {number}\n" for number in range(50)) + "  no such table  \n\n"
    error = HookCommandFailed("nat", "nft -f rules\n  | tee log", "exit status 7", said)
    assert error.message == (
        "--after-build failed on topology nat, exit status 7: nft -f rules | tee log "
        "(its last line: no such table)"
    )
    assert error.hint.splitlines() == [*(f"line {n}" for n in range(41, 50)), "  no such table  "]


@pytest.mark.parametrize(
    ("need", "lacks"),
    [
        ("figures", "a physical network (its data: physical is null)"),
        ("dhcp", "a DHCP range (its data: networks[0].dhcp has none)"),
        ("dhcp_guests", "a guest that asks by DHCP (its data: all addresses are static)"),
    ],
)
def test_what_the_data_lacks_is_not_said_of_the_host(need: str, lacks: str) -> None:
    whole = load("isolated")
    network = whole.network.model_copy(update={"dhcp": None})
    bare = whole.model_copy(update={"physical": None, "networks": (network,)})
    net = Testbed(bare, None, None, [], [], {}, {}, None, "", None)
    with pytest.raises(NotTestable) as caught:
        getattr(net, need)
    assert message(caught.value) == f"topology isolated lacks {lacks}"


def test_what_the_host_lacks_is_said_of_the_host() -> None:
    assert message(NotTestable("vlan", "no device")) == "the host lacks vlan (probe: no device)"


def test_a_users_own_silent_command_is_told_too() -> None:
    error = HookCommandFailed("nat", "false", "exit status 1", "")
    assert error.message.endswith("exit status 1: false (it printed nothing)")
    assert str(error) == error.message
    assert location(error) == ""
