# SPDX-License-Identifier: GPL-2.0-or-later
"""A pack on a host without a network: it installs its packages and itself, and runs."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from contracts import pack_files
from launcher.packing import deb_folder, pack_builder
from tests.needed_programs import needs

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "offline.md"
FENCE = re.compile(r"^```sh\n(?P<commands>.*?)^```$", re.MULTILINE | re.DOTALL)
# A program of a run, which is in a package of its name.
LACKS = "iperf3"


@pytest.mark.host
def test_a_missing_package_is_installed_from_the_folder_alone(tmp_path: Path) -> None:
    content = tmp_path / "content"
    (content / "DEBIAN").mkdir(parents=True)
    (content / "DEBIAN" / "control").write_text(
        "Package: iperf3\nVersion: 99\nArchitecture: all\nMaintainer: Op <op@example.com>\n"
        "Description: the machine's own, repacked\n Of two lines.\n"
    )
    (content / "usr" / "bin").mkdir(parents=True)
    shutil.copy("/usr/bin/iperf3", content / "usr" / "bin")
    folder = tmp_path / "with a blank"
    folder.mkdir()
    argv = [
        "dpkg-deb",
        "--root-owner-group",
        "--build",
        str(content),
        f"{folder}/iperf3_99_all.deb",
    ]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    deb_folder.write_index(folder)
    # The machine as it is, and without the package, under an overlay; no network.
    program = """
        mount -t tmpfs tmpfs "$1"; mkdir "$1/upper" "$1/work" "$1/root"
        mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
        mount --rbind /dev "$1/root/dev"; mount -t proc proc "$1/root/proc"
        mkdir -p "$1/root$2" "$1/root$3"
        mount --bind "$2" "$1/root$2"; mount --bind "$3" "$1/root$3"
        mount -o remount,bind,ro "$1/root$3"
        cd "$1/root"
        chroot . dpkg --remove --force-depends iperf3 >&2
        chroot . "$3/ci/setup" --list --for run
        chroot . "$3/ci/setup" --for run --from "$2" >&2
        chroot . dpkg-query --show iperf3
        chroot . "$3/ci/setup" --list --for run
    """
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    argv = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", program]
    done = subprocess.run(
        [*argv, "sh", str(scratch), str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "iperf3\niperf3\t99\n"


@pytest.mark.host
def test_a_pack_installs_and_runs_with_the_network_closed(tmp_path: Path) -> None:
    key = key_of(tmp_path / "key")
    # What the environment of the tests was made of: as a user starts it.
    python = os.path.realpath(sys.executable)
    packing = [python, str(ROOT / "plumbline"), "pack", f"--output={tmp_path}", f"--sign={key}"]
    done = subprocess.run(packing, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    archive = tmp_path / f"{pack_builder.name('0.1.0')}.tar.gz"
    assert [each.returncode for each in verified(archive, key)] == [0, 0]

    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    root = archive.with_name(archive.name.removesuffix(".tar.gz"))
    whole = re.search(r"`(sha256sum [^`]*MANIFEST\.sha256)`", DOCUMENT.read_text(encoding="utf-8"))
    assert whole is not None
    subprocess.run(["sh", "-c", whole[1]], cwd=root, check=True, timeout=60)
    # Neither the machine's cache nor what its pip is configured to find may help.
    names = ("PATH", "LANG", "TMPDIR")
    bare = {name: os.environ[name] for name in names if name in os.environ}
    bare |= {"HOME": str(tmp_path / "home"), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/nowhere"}
    (tmp_path / "home").mkdir()

    def run(name: str, *hide: str) -> subprocess.CompletedProcess[str]:
        words = ["run", "--topology", "linux-bridge", "--claim", "LB-01", "--workers", "1"]
        return subprocess.run(
            [*hide, "unshare", "--net", python, "plumbline", *words, f"--output={tmp_path / name}"],
            cwd=root,
            env=bare,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    # A file that cannot be executed covers the program, for this run alone.
    program = shutil.which(LACKS)
    assert program is not None
    (tmp_path / "nothing").touch()
    cover = 'mount --bind "$1" "$2"; shift 2; exec "$@"'
    hide = ["unshare", "--mount", "sh", "-ec", cover, "sh", str(tmp_path / "nothing"), program]
    refused = run("lacks", *hide)
    assert refused.returncode == 11, refused.stderr
    assert refused.stderr.startswith(
        "plumbline: this machine lacks system packages, and the pack cannot add them (it carries "
        f"no system packages): {LACKS}\n"
    )
    assert "sudo ci/setup --for run" in refused.stderr
    assert "pack with --with-packages" in refused.stderr
    assert not (tmp_path / "lacks").exists()
    assert not (tmp_path / "home" / ".cache").exists()

    wheel = next((root / pack_files.WHEELS).glob("pytest-*.whl"))
    content = wheel.read_bytes()
    wheel.write_bytes(content + b"\n")
    refused = run("altered-wheel")
    assert refused.returncode == 4, refused.stderr
    assert f"{pack_files.WHEELS}/{wheel.name} was altered" in refused.stderr
    assert not (tmp_path / "home" / ".cache").exists()

    wheel.write_bytes(content)
    done = run("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wheels of the pack" in done.stderr
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    packed = pack_files.facts(root)
    assert packed is not None
    assert record["tool"]["commit"] == packed.commit

    # With all of it installed the harness itself is still compared.
    (root / "suites" / "test_connectivity.py").write_text("# nothing to check\n")
    refused = run("altered-harness")
    assert refused.returncode == 4
    assert "suites/test_connectivity.py was altered" in refused.stderr


def documented(title: str) -> str:
    """Return the commands below a title of docs/offline.md."""
    _, _, below = DOCUMENT.read_text(encoding="utf-8").partition(f"\n## {title}\n")
    fence = FENCE.search(below.partition("\n## ")[0])
    assert fence is not None, f"{DOCUMENT} has no commands below {title!r}"
    return fence["commands"]


def verified(archive: Path, key: Path) -> list[subprocess.CompletedProcess[str]]:
    """Verify an archive by the commands of the document: its checksum, and its signature."""
    signers = archive.with_name("signers")
    signers.write_text(f"packer {key.with_suffix('.pub').read_text()}")
    commands = documented("Verification before it is unpacked").replace("\\\n", "")
    # The document's words for the archive and for its maker.
    commands, number = re.subn(r"plumbline-\S+?\.tar\.gz", archive.name, commands)
    assert number == 3
    commands, number = re.subn(r"-I NAME\b", "-I packer", commands)
    assert number == 1
    return [
        subprocess.run(
            ["sh", "-c", command],
            cwd=archive.parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        for command in commands.splitlines()
    ]


def key_of(maker: Path) -> Path:
    """Make a key."""
    made = [needs("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(maker)]
    subprocess.run(made, check=True, stdin=subprocess.DEVNULL, timeout=60)
    return maker


def test_an_archive_that_was_altered_with_its_checksum_fails_its_signature(tmp_path: Path) -> None:
    archive, key = tmp_path / "plumbline-0.1.0-x86_64-py311.tar.gz", key_of(tmp_path / "key")
    archive.write_bytes(b"as it was packed")
    pack_builder.write_checksum(archive)
    pack_builder.write_signature(archive, key)
    assert [each.returncode for each in verified(archive, key)] == [0, 0]
    # The key of another maker, whom the host does not know.
    other = verified(archive, key_of(tmp_path / "other"))
    assert [each.returncode == 0 for each in other] == [True, False]

    archive.write_bytes(b"as another packed it")
    damaged = verified(archive, key)
    assert [each.returncode == 0 for each in damaged] == [False, False]
    assert f"{archive.name}: FAILED" in damaged[0].stdout
    pack_builder.write_checksum(archive)
    altered = verified(archive, key)
    assert [each.returncode == 0 for each in altered] == [True, False]
    assert "incorrect signature" in altered[1].stdout + altered[1].stderr
