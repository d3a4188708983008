# SPDX-License-Identifier: GPL-2.0-or-later
"""The name server of the physical network, asked by both protocols; and the host's resolver."""

from collections.abc import Iterator
from typing import Literal

import pytest

from fixtures.guest import image as images
from fixtures.host.host import Host
from fixtures.host.links import add_address, cable, namespace_machine
from fixtures.host.machine import NamespaceMachine
from fixtures.host.sandbox import bare_sandbox
from fixtures.probe.name_lookup import Lookup, look_up
from fixtures.probe.reach import End
from fixtures.testbed.name_server import (
    RESOLV_CONF,
    ZONE,
    ZONE_ADDRESS,
    name_server,
    resolves_at,
)

pytestmark = pytest.mark.host

HOST, SERVER = "198.18.0.1", "198.18.0.2"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with bare_sandbox() as made:
        yield made


@pytest.fixture(scope="module")
def lan(host: Host) -> Iterator[NamespaceMachine]:
    with namespace_machine(host, "lan") as machine, cable(host, "eth1", machine, "eth0"):
        add_address(host, "eth1", f"{HOST}/24")
        add_address(machine, "eth0", f"{SERVER}/24")
        yield machine


@pytest.fixture
def asking(host: Host) -> End:
    image = images.cached()
    assert image is not None
    return End(host, HOST, str(image.tool))


@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_it_knows_its_zone_alone(
    host: Host, lan: NamespaceMachine, asking: End, proto: Literal["udp", "tcp"]
) -> None:
    with name_server(host, lan, SERVER):
        known = look_up(asking, SERVER, f"any.{ZONE}", proto)
        other = look_up(asking, SERVER, "any.example", proto)
    assert known == Lookup((ZONE_ADDRESS,), "", 0)
    assert not known.is_denied
    assert other == Lookup((), "no such name, no address", 3)
    assert other.is_denied


@pytest.mark.usefixtures("lan")
def test_a_server_that_is_not_there(asking: End) -> None:
    assert look_up(asking, SERVER, f"any.{ZONE}", "tcp").failure.startswith("ECONNREFUSED")


def test_the_resolvers_file_is_back(host: Host) -> None:
    file = host.seen(RESOLV_CONF)
    was = file.read_text() if file.exists() else None
    with resolves_at(host, SERVER):
        assert file.read_text() == f"nameserver {SERVER}\n"
    assert (file.read_text() if file.exists() else None) == was
