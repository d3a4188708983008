# SPDX-License-Identifier: GPL-2.0-or-later
"""The MTU of guests' NICs as data: what is refused, and where it goes."""

from pathlib import Path

import pytest

from tests.changed_topologies import changed
from topologies import library
from topologies.catalogue import claims
from topologies.data_error import DataError

JUMBO = Path(__file__).resolve().parent / "topologies" / "bridged-jumbo.yaml"
SHIPPED = Path(library.__file__).resolve().parent


def test_it_is_asked_of_a_network_that_has_it() -> None:
    assert library.load(str(JUMBO)).applies(claims()["MT-07"])
    assert not library.load("bridged").applies(claims()["MT-07"])


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("guests_mtu: 9000", "guests_mtu: 4000", "4000 on a link of 9000 octets (physical.mtu)"),
        ("  mtu: 9000 ", "  mtu: 8000 ", "9000 on a link of 8000 octets (physical.mtu)"),
        ("model: virtio ", "model: e1000 ", "e1000 on a network with guests_mtu"),
        ("switch: linux", "switch: ovs", "networks[0].guests_mtu: the switch is no bridge"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, before: str, after: str, said: str) -> None:
    with pytest.raises(DataError) as refused:
        changed(JUMBO, tmp_path, (before, after))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("name", "network_mtu", "own", "said"),
    [
        ("nat-dual-stack", 9000, 9000, None),
        ("nat-dual-stack", 9000, 1500, "1500 on a link of 9000 octets (mtu)"),
        ("isolated-dual-stack", None, 1500, None),
        ("isolated-dual-stack", 1000, 1000, "1000 with an address6; expected 1280 or more"),
        ("linux-bridge", None, 9000, None),
        ("passthrough", None, 9000, "networks[0].guests_mtu: there is no bridge"),
    ],
)
def test_it_is_that_of_the_network(
    tmp_path: Path, name: str, network_mtu: int | None, own: int, said: str | None
) -> None:
    text = (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")
    more = f"    guests_mtu: {own}\n"
    if network_mtu is not None and "    mtu: " not in text:
        more += f"    mtu: {network_mtu}\n"
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace("    forward: ", f"{more}    forward: ", 1), encoding="utf-8")
    if said is None:
        assert library.load(str(file)).network.guests_mtu == own
        return
    with pytest.raises(DataError) as refused:
        library.load(str(file))
    assert said in str(refused.value)
