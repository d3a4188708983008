# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks whose packets are smaller or larger than Ethernet's, run for real."""

from pathlib import Path

import pytest

from tests.launched import require_conforming

TOPOLOGIES = Path(__file__).parent / "topologies"
SIZES = tuple(f"MT-0{number}" for number in range(1, 7))


@pytest.mark.host
@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("small-packets", (*SIZES, "NT-10", "NT-11", "NT-12", "NT-14", "NT-22", "V6-09")),
        # A guest of it takes no large packets, and nobody on a link is told so.
        ("jumbo-routed", (*SIZES, "NT-22", "RT-02", "RT-04", "V6-15")),
        ("bridged-jumbo", ("MT-07", "BR-06", "BR-07", "BR-08", "V6-03")),
    ],
)
def test_they_conform(name: str, claims: tuple[str, ...], tmp_path: Path) -> None:
    require_conforming(tmp_path, TOPOLOGIES / f"{name}.yaml", claims)
