# SPDX-License-Identifier: GPL-2.0-or-later
"""A pack: what is in it, what it refuses, and that it installs and runs with the network closed."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from contracts import pack_files
from contracts.pack_files import PackFacts
from launcher import unpacked
from launcher.launcher_error import LauncherError, MissingError, UsageError
from launcher.packing import deb_folder, harness_files, pack_builder, wheels
from reports.recording.provenance import tool

ROOT = Path(__file__).resolve().parent.parent
FACTS = PackFacts(
    version="0.1.0",
    commit="a" * 40,
    modified=False,
    python=unpacked.python(),
    abi=unpacked.abi(),
    machine=os.uname().machine,
    glibc=unpacked.glibc(),
    image="0" * 16,
    system=unpacked.system(),
)
WHEEL = f"{pack_files.WHEELS}/thing-1.0-py3-none-any.whl"
FILES = {
    "plumbline": "#!/bin/sh\n",
    "docs/name with a blank.md": "# Plumb\n",
    WHEEL: "a wheel",
    pack_files.FACTS: FACTS.to_json(),
}


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small pack, unpacked, which this process takes for the one that it is in."""
    root = tmp_path / "pack"
    for path, content in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    hashes = {path: hashlib.sha256(content.encode()).hexdigest() for path, content in FILES.items()}
    (root / pack_files.MANIFEST).write_text(pack_files.manifest(hashes))
    monkeypatch.setattr(unpacked, "ROOT", root)
    for cached in (unpacked.pack, unpacked.require_intact):
        cached.cache_clear()
    yield root
    for cached in (unpacked.pack, unpacked.require_intact):
        cached.cache_clear()


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=Op", "-c", "user.email=op@example.com"]
    argv = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_a_pack_as_it_was_packed_is_taken(pack: Path) -> None:
    unpacked.require_usable(whole=True)
    # What runs leave in the tree is no file of the pack.
    (pack / "runs").mkdir()
    (pack / "runs" / "notes").write_text("mine")
    unpacked.require_intact.cache_clear()
    unpacked.require_usable(whole=True)
    assert unpacked.packages() == pack / pack_files.PACKAGES
    assert unpacked.install_command() == "sudo ci/setup --for run --from pack/packages"


def test_every_system_can_compare_the_sums(pack: Path) -> None:
    argv = ["sha256sum", "--check", "--strict", "--quiet", pack_files.MANIFEST]
    assert subprocess.run(argv, cwd=pack, check=False).returncode == 0
    (pack / WHEEL).write_text("another wheel")
    done = subprocess.run(argv, cwd=pack, check=False, capture_output=True, text=True)
    assert (done.returncode, f"{WHEEL}: FAILED" in done.stdout) == (1, True)


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        (WHEEL, "a wheeL", f"{WHEEL} was altered"),
        (WHEEL, None, f"{WHEEL} was removed"),
        ("plumbline", "#!/bin/sh\nrm", "plumbline was altered"),
        (
            pack_files.FACTS,
            FACTS.to_json().replace("cpython-", "cpython-9"),
            "pack.json was altered",
        ),
        ("docs/name with a blank.md", None, "docs/name with a blank.md was removed"),
        (f"{pack_files.WHEELS}/other.whl", "x", f"{pack_files.WHEELS}/other.whl was added"),
    ],
)
def test_a_changed_file_is_named(pack: Path, path: str, content: str | None, said: str) -> None:
    if content is None:
        (pack / path).unlink()
    else:
        (pack / path).write_text(content)
    with pytest.raises(UsageError) as caught:
        unpacked.require_usable(whole=True)
    assert caught.value.message.startswith(f"the pack in {pack} is not as it was packed: ")
    assert caught.value.message.endswith(said)
    assert "unpack the archive again" in caught.value.hint


@pytest.mark.parametrize(
    "path",
    [
        # In the place of a module of Python's own, or one that Python imports as it starts.
        "argparse.py",
        "sitecustomize.py",
        "json/__init__.py",
        f"argparse{EXTENSION_SUFFIXES[0]}",
        # Among the pack's own: collected, or imported.
        "docs/test_x.py",
        "docs/below/conftest.py",
    ],
)
def test_an_added_file_that_could_be_executed_is_named(pack: Path, path: str) -> None:
    (pack / path).parent.mkdir(exist_ok=True)
    (pack / path).touch()
    with pytest.raises(UsageError) as caught:
        unpacked.require_usable(whole=False)
    assert caught.value.message.endswith(f": {path} was added")


def test_an_added_link_to_a_folder_is_named(pack: Path, tmp_path: Path) -> None:
    (pack / "docs" / "more").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="docs/more was added"):
        unpacked.require_usable(whole=False)


def test_what_runs_and_python_leave_is_not_an_added_file(pack: Path) -> None:
    for path in ("out/run.json", "out/checks/x.py", "docs/__pycache__/x.pyc", ".unpacked", "x.md"):
        (pack / path).parent.mkdir(parents=True, exist_ok=True)
        (pack / path).touch()
    unpacked.require_usable(whole=True)


def test_a_link_in_the_place_of_a_file_is_a_change(pack: Path, tmp_path: Path) -> None:
    (pack / "plumbline").rename(tmp_path / "elsewhere")
    (pack / "plumbline").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="plumbline was altered"):
        unpacked.require_usable(whole=False)


def test_what_is_installed_already_is_not_compared_again(pack: Path) -> None:
    (pack / WHEEL).write_text("a wheeL")
    unpacked.require_usable(whole=False)
    (pack / "plumbline").write_text("altered")
    unpacked.require_intact.cache_clear()
    with pytest.raises(UsageError, match="plumbline was altered"):
        unpacked.require_usable(whole=False)


@pytest.mark.parametrize("line", ["../x", "/etc/passwd", "a/../../x", ""])
def test_a_manifest_names_files_of_the_pack_alone(line: str) -> None:
    with pytest.raises(ValueError, match=r"MANIFEST\.sha256:1: not a hash and a path"):
        pack_files.read_manifest(f"{'0' * 64}  {line}\n")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": "plumbline/pack/2"}'])
def test_facts_that_are_none_are_refused(pack: Path, content: str) -> None:
    (pack / pack_files.FACTS).write_text(content)
    with pytest.raises(UsageError, match="not the facts of a pack"):
        unpacked.require_usable(whole=False)


@pytest.mark.parametrize("word", ["--version", "man"])
def test_a_pack_with_damaged_facts_is_one_message(word: str, tmp_path: Path) -> None:
    unpack = shutil.ignore_patterns(".git", "__pycache__", "runs", "tests", "docs", "suites")
    root = shutil.copytree(ROOT, tmp_path / "unpacked", ignore=unpack)
    (root / pack_files.FACTS).parent.mkdir()
    (root / pack_files.FACTS).write_text("{")
    argv = [sys.executable, "-B", str(root / "plumbline"), word]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(
        f"plumbline: {root / pack_files.FACTS}: not the facts of a pack: "
    )
    assert "unpack the archive again" in done.stderr


@pytest.mark.usefixtures("pack")
def test_another_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "abi", lambda: "cpython-399-x86_64-linux-gnu")
    monkeypatch.setattr(unpacked, "python", lambda: "3.99")
    with pytest.raises(MissingError) as caught:
        unpacked.require_usable(whole=True)
    assert f"this pack is for Python {FACTS.python} on" in caught.value.message
    assert f"{sys.executable} is Python 3.99" in caught.value.message
    assert f"python{FACTS.python} plumbline" in caught.value.hint


@pytest.mark.usefixtures("pack")
@pytest.mark.parametrize(("here", "taken"), [("2.9", False), ("", False), ("2.100", True)])
def test_an_older_c_library_is_refused(
    here: str, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacked, "glibc", lambda: here)
    if taken:
        unpacked.require_usable(whole=True)
        return
    with pytest.raises(MissingError, match=f"made with glibc {FACTS.glibc}"):
        unpacked.require_usable(whole=True)


@pytest.mark.usefixtures("pack")
def test_packages_of_another_release_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "system", lambda: "debian 99")
    assert unpacked.packages() is None
    assert unpacked.install_command() == "sudo ci/setup --for run"
    error = unpacked.lacking(["dnsmasq-base", "iperf3"])
    assert error.exit_code == 11
    assert f"its own are for {FACTS.system}, and this is debian 99" in error.message
    assert error.message.endswith("dnsmasq-base iperf3")


def test_a_record_has_the_commit_of_the_pack(pack: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", pack)
    described = tool(["./plumbline", "run"], pack)
    assert (described.commit, described.dirty) == ("a" * 40, False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_clone_of_another_user_has_a_commit(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "all")
    commit = git(tmp_path, "rev-parse", "HEAD").strip()
    for place in (tmp_path, tmp_path / ".git"):
        os.chown(place, 65534, 65534)
    assert tool(["./plumbline", "run"], tmp_path).commit == commit
    assert harness_files.harness(tmp_path).commit == commit


def test_the_harness_is_what_git_tracks(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "tracked").write_text("before")
    (tmp_path / "name\twith a tab").write_text("x")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "all")
    found = harness_files.harness(tmp_path)
    assert found.paths == ["name\twith a tab", "tracked"]
    assert found.commit == git(tmp_path, "rev-parse", "HEAD").strip()
    assert (found.changed, found.modified) == ([], False)
    (tmp_path / "untracked").touch()
    # It is not in the pack.
    found = harness_files.harness(tmp_path)
    assert (found.changed, found.modified) == (["?? untracked"], False)
    (tmp_path / "tracked").write_text("after")
    found = harness_files.harness(tmp_path)
    assert found.modified
    assert found.paths == ["name\twith a tab", "tracked"]
    assert found.changed == [" M tracked", "?? untracked"]
    (tmp_path / "tracked").unlink()
    with pytest.raises(LauncherError, match="tracked is tracked by git, and not there"):
        harness_files.harness(tmp_path)


def test_without_git_the_harness_is_what_its_folders_have(tmp_path: Path) -> None:
    ours = ["ci/runs/example.yml", "launcher/cli.py", "plumbline"]
    caches = ["launcher/__pycache__/cli.pyc", "launcher/.mypy_cache/x"]
    others = [
        *("runs/1/run.json", "fleet/host/run.json", "plumbline-0.1.0-x86_64-py311.tar.gz"),
        *(".env", ".venv/bin/python", "node_modules/x.js", "id_ed25519"),
    ]
    for name in [*ours, *caches, *others]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = harness_files.harness(tmp_path)
    assert (found.paths, found.commit, found.modified) == (ours, None, None)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this tree is no clone")
def test_the_top_of_the_harness_is_that_of_the_clone() -> None:
    assert {path.split("/")[0] for path in harness_files.harness(ROOT).paths} == harness_files.TOP


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this tree is no clone")
@pytest.mark.parametrize("kind", ["tar.gz", "tar.gz.sha256", "tar.gz.sig"])
def test_a_pack_or_a_fleet_does_not_change_the_clone(kind: str) -> None:
    made = [f"{pack_builder.name('0.1.0')}.{kind}", "fleet/host/run.json"]
    assert git(ROOT, "check-ignore", *made).splitlines() == made


def test_the_lock_of_a_pack_has_the_hashes_of_its_wheels(tmp_path: Path) -> None:
    (tmp_path / "ruamel_yaml-0.19.1-py3-none-any.whl").write_bytes(b"one")
    (tmp_path / "pip-26.0-py3-none-any.whl").write_bytes(b"pip")
    (tmp_path / "Thing.Two-2.0-1-cp311-abi3-manylinux_2_34_x86_64.whl").write_bytes(b"two")
    harness_lock = "ruamel-yaml==0.19.1 \\\n    --hash=sha256:00\n    # via x\nthing-two==2.0 \\\n"
    assert sorted(wheels.lock_of(tmp_path, harness_lock).splitlines()) == [
        f"pip==26.0 --hash=sha256:{hashlib.sha256(b'pip').hexdigest()}",
        f"ruamel-yaml==0.19.1 --hash=sha256:{hashlib.sha256(b'one').hexdigest()}",
        f"thing-two==2.0 --hash=sha256:{hashlib.sha256(b'two').hexdigest()}",
    ]
    with pytest.raises(LauncherError, match=r"not those of requirements.lock: absent==1\.0"):
        wheels.lock_of(tmp_path, f"{harness_lock}absent==1.0 \\\n")
    (tmp_path / "thing-two-2.0.tar.gz").touch()
    with pytest.raises(LauncherError, match="which is no wheel"):
        wheels.lock_of(tmp_path, harness_lock)


def test_pip_is_the_one_of_this_python() -> None:
    argv = [sys.executable, "-m", "ensurepip", "--version"]
    # "pip 23.2.1"
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert wheels.own_pip().name == f"pip-{said[1]}-py3-none-any.whl"


def test_the_packages_of_a_pack_are_those_of_a_run_without_a_compiler() -> None:
    names = deb_folder.names()
    assert {"qemu-system-x86", "libvirt-daemon", "dnsmasq-base"} <= set(names)
    assert not {"gcc", "libvirt-dev", "python3-venv"} & set(names)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output", "nowhere/x.tar.gz"], "there is no folder nowhere"),
        (["--output", "x.zip"], "nor a name ending in .tar.gz"),
        (["--output", "there.tar.gz"], "there.tar.gz: the file exists"),
        (["--sign", "no-key"], "--sign no-key: there is no such file"),
    ],
)
def test_usage_errors_come_before_any_work(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "there.tar.gz").touch()
    done = subprocess.run(
        [sys.executable, str(ROOT / "plumbline"), "pack", *words],
        cwd=tmp_path,
        env=os.environ | {"PLUMBLINE_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert said in done.stderr
    assert not (tmp_path / "cache").exists()


def test_set_up_takes_packages_from_a_folder_with_an_index_alone(tmp_path: Path) -> None:
    argv = [str(ROOT / "ci" / "setup"), "--from", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "expected a folder with .deb files and their index" in done.stderr


@pytest.mark.parametrize("change", ["none", "altered", "removed", "unlisted"])
def test_set_up_takes_the_packages_of_a_pack_as_they_were_packed(
    pack: Path, tmp_path: Path, change: str
) -> None:
    names = [f"{pack_files.PACKAGES}/{name}" for name in (deb_folder.INDEX, "iperf3_99_all.deb")]
    (pack / pack_files.PACKAGES).mkdir()
    for name in names:
        (pack / name).write_text(name)
    if change != "unlisted":
        hashes = {name: hashlib.sha256(name.encode()).hexdigest() for name in names}
        with (pack / pack_files.MANIFEST).open("a") as manifest:
            manifest.write(pack_files.manifest(hashes))
    if change == "altered":
        (pack / names[1]).write_text("another package")
    elif change == "removed":
        (pack / names[1]).unlink()
    # Whatever the machine lacks: it is compared first. Wherever set-up itself is, by any path.
    (tmp_path / "link").symlink_to(pack / pack_files.PACKAGES)
    for folder in (pack / pack_files.PACKAGES, tmp_path / "link"):
        argv = [str(ROOT / "ci" / "setup"), "--list", "--from", str(folder)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == (0 if change == "none" else 4), done.stderr
        assert (f"--from {folder}: it is not as it was packed" in done.stderr) == (change != "none")
        assert (f"{names[1]}: FAILED" in done.stderr) == (change in ("altered", "removed"))


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
    key = tmp_path / "key"
    made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(made, check=True, stdin=subprocess.DEVNULL)
    # What the environment of the tests was made of: as a user starts it.
    python = os.path.realpath(sys.executable)
    packing = [python, str(ROOT / "plumbline"), "pack", f"--output={tmp_path}", f"--sign={key}"]
    done = subprocess.run(packing, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    archive = tmp_path / f"{pack_builder.name('0.1.0')}.tar.gz"
    verify_as_documented(archive, key)

    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    root = archive.with_name(archive.name.removesuffix(".tar.gz"))
    # Neither the machine's cache nor what its pip is configured to find may help.
    names = ("PATH", "LANG", "TMPDIR")
    bare = {name: os.environ[name] for name in names if name in os.environ}
    bare |= {"HOME": str(tmp_path / "home"), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/nowhere"}
    (tmp_path / "home").mkdir()

    def run(name: str) -> subprocess.CompletedProcess[str]:
        words = ["run", "--topology", "linux-bridge", "--claim", "LB-01", "--workers", "1"]
        return subprocess.run(
            ["unshare", "--net", python, "plumbline", *words, "--output", str(tmp_path / name)],
            cwd=root,
            env=bare,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

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


def verify_as_documented(archive: Path, key: Path) -> None:
    """Verify a pack by the commands in docs/offline.md."""
    signers = key.with_name("signers")
    signers.write_text(f"packer {key.with_suffix('.pub').read_text()}")
    for command in (
        f"sha256sum --check {archive.name}.sha256",
        f"ssh-keygen -Y verify -f {signers.name} -I packer -n plumbline-pack "
        f"-s {archive.name}.sig <{archive.name}",
    ):
        subprocess.run(["sh", "-c", command], cwd=archive.parent, check=True)


def test_the_containerfile_is_clean_and_names_no_registry() -> None:
    file = ROOT / "ci" / "container" / "Containerfile"
    linter = Path(sys.executable).with_name("hadolint")
    argv = [str(linter), "--failure-threshold", "style", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    base = next(line for line in file.read_text().splitlines() if line.startswith("ARG BASE="))
    # A registry's name has a dot or a port before the first slash.
    assert "/" not in base
