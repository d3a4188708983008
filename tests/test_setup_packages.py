# SPDX-License-Identifier: GPL-2.0-or-later
"""ci/setup and the launcher judge alike what a machine lacks, from one table."""

import subprocess
import sys
from pathlib import Path

import pytest

from launcher.packages import missing, table

ROOT = Path(__file__).resolve().parent.parent
SETUP = ROOT / "ci" / "setup"
JUDGE = """\
import sys
sys.path.insert(0, sys.argv[1])
from launcher.packages import missing
print("\\n".join(missing(["run", "venv", "image"])))
"""


def hidden(paths: list[str], argv: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command where these files and folders are hidden by mounts of its own."""
    program = (
        'while [ "$1" != -- ]; do if [ -d "$1" ]; then mount -t tmpfs tmpfs "$1"; '
        'else mount --bind /dev/null "$1"; fi || exit 99; shift; done; shift; exec "$@"'
    )
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", program, "sh", *paths, "--", *argv],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.host
def test_a_machine_that_has_everything_lacks_nothing() -> None:
    done = subprocess.run([SETUP, "--list"], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert missing(["run", "venv", "image"]) == []


@pytest.mark.host
@pytest.mark.parametrize(
    ("paths", "packages"),
    [
        (["/usr/sbin/dnsmasq"], ["dnsmasq-base"]),
        (["/usr/bin/iperf3", "/usr/sbin/nft"], ["nftables", "iperf3"]),
        (["/usr/include/libvirt"], ["libvirt-dev"]),
        # Two proofs of one package: it is named once.
        (["/usr/sbin/ovs-vswitchd", "/usr/sbin/ovsdb-server"], ["openvswitch-switch"]),
    ],
)
def test_what_is_hidden_is_missed_by_both(paths: list[str], packages: list[str]) -> None:
    by_setup = hidden(paths, [str(SETUP), "--list"])
    by_launcher = hidden(paths, [sys.executable, "-c", JUDGE, str(ROOT)])
    assert by_setup.stdout.split() == packages, by_setup.stderr
    assert by_launcher.stdout.split() == packages, by_launcher.stderr


@pytest.mark.host
def test_only_what_a_stage_needs_is_missed() -> None:
    paths = ["/usr/sbin/dnsmasq", "/usr/include/libvirt", "/usr/bin/readelf"]
    for stage, package in (("run", "dnsmasq-base"), ("venv", "libvirt-dev"), ("image", "binutils")):
        done = hidden(paths, [str(SETUP), "--list", "--for", stage])
        assert done.stdout.split() == [package], done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--lsit"], "unknown argument '--lsit'"),
        (["--for"], "--for needs a value"),
        (["--for", "moon"], "unknown stage 'moon'"),
    ],
)
def test_setup_refuses_what_it_does_not_know(words: list[str], said: str) -> None:
    done = subprocess.run([SETUP, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert said in done.stderr


def test_every_row_of_the_table_names_a_stage_a_proof_and_packages() -> None:
    for need in table():
        assert set(need.stages) <= {"run", "venv", "image", "release", "test"}
        assert all(
            proof.partition(":")[0] in ("command", "file", "python") for proof in need.shown_by
        )
        assert need.apt != "-"
        assert need.dnf
