# SPDX-License-Identifier: GPL-2.0-or-later
"""The proof of KVM: by what a guest's console says, within a deadline, remembered, never left over.

Whether KVM works can't be chosen here, so programs of the tests' own stand where QEMU would: one
for each thing that QEMU can do.
"""

import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.guest import image, kvm_proof
from fixtures.guest.image import boot
from fixtures.waiting import until
from launcher.packages import find

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Files:
    """An image whose files nobody reads here."""

    key: str
    kernel: Path
    initrd: Path


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("PLUMBLINE_CACHE", str(tmp_path / "cache"))
    node = tmp_path / "kvm"
    node.touch()
    monkeypatch.setattr(kvm_proof, "KVM", node)
    return Files("abc", tmp_path / "kernel", tmp_path / "initrd")


def program(folder: Path, body: str) -> str:
    qemu = folder / "qemu"
    qemu.write_text(f"#!/bin/sh\n{body}\n")
    qemu.chmod(0o755)
    return str(qemu)


def test_a_guest_that_comes_up_proves_it(files: Files, tmp_path: Path) -> None:
    up = "echo booting; echo plumbline: userland up; exec sleep 60"
    proof = kvm_proof.prove_kvm(files, program(tmp_path, up), 30.0)
    assert proof.proven
    assert "a guest booted under it in" in proof.reason
    assert proof.seconds < 30


def test_a_guest_that_hangs_is_given_up_at_the_deadline(files: Files, tmp_path: Path) -> None:
    begin = time.monotonic()
    proof = kvm_proof.prove_kvm(files, program(tmp_path, "echo SeaBIOS; exec sleep 60"), 0.5)
    assert not proof.proven
    assert "within" in proof.reason
    assert "SeaBIOS" in proof.reason
    assert 0.5 <= time.monotonic() - begin < 20


def test_a_silent_guest_is_called_silent(files: Files, tmp_path: Path) -> None:
    proof = kvm_proof.prove_kvm(files, program(tmp_path, "exec sleep 60"), 0.3)
    assert "its console stayed empty" in proof.reason


def test_what_qemu_complains_of_is_the_reason(files: Files, tmp_path: Path) -> None:
    refusing = "echo 'qemu: failed to initialize kvm: Permission denied' >&2; exit 1"
    proof = kvm_proof.prove_kvm(files, program(tmp_path, refusing), 30.0)
    assert not proof.proven
    assert "failed to initialize kvm: Permission denied" in proof.reason


def test_without_a_device_nothing_is_started_nor_remembered(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qemu = program(tmp_path, f"touch {tmp_path / 'started'}")
    monkeypatch.setattr(kvm_proof, "KVM", tmp_path / "nothing")
    proof = kvm_proof.kvm(files, qemu)
    assert not proof.proven
    assert "there is no" in proof.reason
    assert not (tmp_path / "started").exists()
    assert kvm_proof.remembered(files, qemu) is None


def test_it_is_tried_once_per_boot_image_and_qemu(files: Files, tmp_path: Path) -> None:
    log = tmp_path / "starts"
    qemu = program(tmp_path, f"echo x >> {log}; echo plumbline: userland up")
    first = kvm_proof.kvm(files, qemu)
    assert kvm_proof.kvm(files, qemu) == first == kvm_proof.remembered(files, qemu)
    assert log.read_text().count("x") == 1
    kvm_proof.kvm(Files("def", files.kernel, files.initrd), qemu)
    assert log.read_text().count("x") == 2
    program(tmp_path, f"echo y >> {log}; echo plumbline: userland up; true")
    kvm_proof.kvm(files, qemu)
    assert log.read_text().count("y") == 1


def test_a_memory_that_cannot_be_read_is_made_again(files: Files, tmp_path: Path) -> None:
    qemu = program(tmp_path, "echo plumbline: userland up")
    kvm_proof.kvm(files, qemu)
    [memory] = (tmp_path / "cache").glob("accel-*.json")
    memory.write_text('{"proven": tr')
    assert kvm_proof.remembered(files, qemu) is None
    assert kvm_proof.kvm(files, qemu).proven


PROVE = """\
import sys
from pathlib import Path
from types import SimpleNamespace
sys.path.insert(0, sys.argv[1])
from fixtures.guest import kvm_proof
kvm_proof.KVM = Path(sys.argv[2])
kvm_proof.prove_kvm(SimpleNamespace(key="k", kernel="k", initrd="i"), sys.argv[3], 60.0)
"""


def test_qemu_dies_with_the_harness(files: Files, tmp_path: Path) -> None:
    assert files.key
    pid_file = tmp_path / "pid"
    qemu = program(
        tmp_path, f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep 60"
    )
    argv = [sys.executable, "-c", PROVE, str(ROOT), str(kvm_proof.KVM), qemu]
    with subprocess.Popen(argv) as harness:
        until(pid_file.exists, "the program stands in QEMU's place", deadline_s=20)
        child = Path("/proc", pid_file.read_text().strip())
        assert child.exists()
        harness.send_signal(signal.SIGKILL)
        harness.wait()
        until(lambda: not child.exists(), "QEMU is gone", deadline_s=10)


@pytest.mark.host
def test_the_real_image_boots_with_the_probes_words() -> None:
    """The console line that proves KVM is what the image's init writes, shown under TCG."""
    cached, qemu = image.cached(), find("qemu-system-x86_64")
    assert cached is not None
    assert qemu is not None
    words = " ".join((*boot.CMDLINE, "plumbline.probe"))
    argv = [qemu, "-no-user-config", "-nodefaults", "-machine", boot.MACHINE]
    argv += ["-accel", "tcg", "-m", str(boot.MEMORY_MIB), "-display", "none"]
    argv += ["-serial", "stdio", "-no-reboot", "-append", words]
    argv += ["-kernel", str(cached.kernel), "-initrd", str(cached.initrd)]
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True
    )
    assert kvm_proof.UP in done.stdout
