# SPDX-License-Identifier: GPL-2.0-or-later
"""Managers of links leave those of a run alone, though they would take any link."""

from pathlib import Path

import pytest

from launcher.staged import profile
from tests.launched import ROOT, launched

# Any link is asked for an address.
GREEDY = "[Match]\nName=*\n\n[Network]\nDHCP=yes\nIPv6AcceptRA=yes\n"
# The links of a topology that is up, each with its state; a link that is managed ends the run.
OF_NETWORKD = "networkctl list --no-legend --no-pager | awk '{print $2, $NF}'"
OF_NETWORK_MANAGER = "nmcli -t -f DEVICE,STATE device | tr : ' '"
ALL_UNMANAGED = (
    'shown=$({shows} | grep ^plumb); echo "$shown"; ! echo "$shown" | grep -v \' unmanaged$\''
)


@pytest.mark.staged
@pytest.mark.parametrize(
    ("name", "greedy", "shows", "kept"),
    [
        (
            "networkd",
            '"/etc/systemd/network/90-all.network" = """\n' + GREEDY + '"""\n',
            OF_NETWORKD,
            "systemd-networkd, kept from plumb* by /run/systemd/network/0-plumbline.network",
        ),
        (
            "firewalld",
            "",
            OF_NETWORK_MANAGER,
            "NetworkManager, kept from plumb* by /run/NetworkManager/conf.d/plumbline.conf",
        ),
    ],
)
def test_managers_leave_the_links_of_a_run_alone(
    tmp_path: Path, name: str, greedy: str, shows: str, kept: str
) -> None:
    shipped = (ROOT / "profiles" / f"{name}.toml").read_text()
    lines = [line for line in shipped.splitlines() if not line.startswith("bystander")]
    own = tmp_path / "own.toml"
    own.write_text("\n".join(lines) + "\n" + greedy)
    assert not profile.load(str(own)).bystander
    words = ["--host", "staged", "--profile", str(own), "--topology", "nat"]
    hook = ALL_UNMANAGED.format(shows=shows)
    done, record = launched(
        "run", tmp_path / "run", *words, "--claim", "NT-01", "--after-build", hook
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert kept in record["host"]["facts"]["managers"]
    # The host is as it was, the files of its managers included.
    assert {(c["id"], c["verdict"]) for c in record["checks"] if "HR-01" in c["claims"]} == {
        ("host_as_it_was.host_is_as_it_was", "conforms")
    }
