# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks with DHCPv6, and networks without IPv4, run for real."""

from pathlib import Path

import pytest

from tests.launched import launched, require_conforming

TOPOLOGIES = Path(__file__).parent / "topologies"


@pytest.mark.host
@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("dhcpv6", ("IS-05", "V6-03", "V6-06", "V6-10", "V6-16", "V6-17", "V6-18", "V6-19")),
        ("ipv6-alone", ("IS-01", "V6-03", "V6-06", "V6-07", "V6-10", "V6-13", "GN-09")),
        ("ipv6-static", ("GN-09", "NT-11", "NT-12", "V6-03", "V6-04", "V6-16", "V6-17", "V6-19")),
        ("ipv6-alone-nat", ("NT-01", "NT-11", "V6-05", "V6-09", "V6-11", "V6-12", "V6-17")),
    ],
)
def test_they_conform(name: str, claims: tuple[str, ...], tmp_path: Path) -> None:
    require_conforming(tmp_path, TOPOLOGIES / f"{name}.yaml", claims)


@pytest.mark.host
def test_a_range_that_is_not_leased_whole_conforms(tmp_path: Path) -> None:
    # The server takes addresses from anywhere in it.
    text = (TOPOLOGIES / "dhcpv6.yaml").read_text(encoding="utf-8")
    assert "::11f" in text
    text = text.replace("::11f", "::1ff")
    file = tmp_path / "wide.yaml"
    file.write_text(text, encoding="utf-8")
    words = ("--topology", str(file), "--claim", "V6-18", "--claim", "V6-19")
    done, record = launched("run", tmp_path / "run", *words)
    assert {check["verdict"] for check in record["checks"]} == {"conforms"}, done.stdout
