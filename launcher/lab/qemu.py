# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulator of a lab, and the parts of the machine that it emulates.

Source: QEMU, "igb" and "Virtual IOMMU" in its system emulation manual; qemu(1).
"""

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher import packages, release
from launcher.lab.disk_image import Image
from launcher.lab.job import Share
from launcher.lab_detection import MARK
from launcher.launcher_error import MissingError

NAME = "qemu-system-x86_64"
# The release whose QEMU has the NIC, where the machine's own is older than 8.0.
RELEASE = "trixie"
NIC = "igb"
MEMORY_MIB = 3072
CPUS = 2
# The NICs of a lab, one on each root port from 1 on, so that they are enp1s0, enp2s0, enp3s0. All
# are on one wire: the first has the VFs, the second is for a guest that gets a whole NIC, the third
# is the outside machine's.
NICS = ("igb", "igb", "e1000e")
PF, SPARE_NIC, PEER_NIC = "enp1s0", "enp2s0", "enp3s0"
# Locally administered, and unique in a lab.
MAC = "52:54:00:1a:b0:{number:02x}"
# Without mitigations: they cost time under TCG, and a machine for one run needs no protection.
CMDLINE = (
    f"root=/dev/vda rw quiet panic=-1 console=ttyS0 mitigations=off intel_iommu=on iommu=pt {MARK}"
)


@dataclass(frozen=True)
class Emulator:
    """A QEMU that has the NIC.

    Attributes:
        argv: the command that starts it.
        environment: variables to set beside those of this process.
    """

    argv: Sequence[str]
    environment: dict[str, str]


def is_needed() -> bool:
    """Whether this machine's own QEMU, if there is one, lacks the NIC: a newer one is needed."""
    own = packages.find(NAME)
    return own is None or not _has_nic(Emulator([own], {}))


def emulator(progress: Callable[[str], None]) -> Emulator:
    """Return this machine's own QEMU, or where that lacks the NIC a newer release's.

    Raises:
        MissingError: neither has it.
        LauncherError: the newer release could not be built.
    """
    own = packages.find(NAME)
    if own is not None and _has_nic(found := Emulator([own], {})):
        return found
    found = _in(release.ensure(RELEASE, progress))
    if _has_nic(found):
        return found
    raise MissingError(
        f"no QEMU here has the device {NIC}, the lab's NIC: neither this machine's nor that of "
        f"{RELEASE}",
        "a lab needs QEMU 8.0 or newer",
    )


def argv(image: Image, accel: str, shares: Sequence[Share], console: Path) -> list[str]:
    """Return the emulator's arguments for a lab.

    Its terminal is the emulator's standard input and output. Its NICs are connected to each other
    and to nothing else.

    Args:
        image: the disk that it boots; not written to.
        accel: `kvm` or `tcg`.
        shares: folders of this machine in it.
        console: the file for its serial console.
    """
    words = ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    # Each reset of the CPU, with its state: the trace of one that the lab's kernel did not ask for.
    words += ["-d", "cpu_reset"]
    words += ["-machine", "q35,kernel-irqchip=split", "-m", str(MEMORY_MIB)]
    if accel == "kvm":
        words += ["-smp", str(CPUS), "-accel", "kvm", "-cpu", "host"]
    else:
        # One CPU: a kernel changes its own code behind a breakpoint (static keys), and with TCG
        # another CPU was seen to hit the breakpoint long after it was removed ("Oops: int3" in
        # finish_task_switch). With room for a second, as TCG leaves out memory barriers otherwise.
        words += ["-smp", "1,maxcpus=2"]
        # TCG emulates AMD's virtualisation with nested paging: the lab has a KVM of its own.
        words += ["-accel", "tcg,thread=multi,tb-size=512"]
        words += ["-cpu", "EPYC-Rome,+svm,+npt,+rdrand"]
    words += ["-device", "intel-iommu,intremap=on,caching-mode=on"]
    words += ["-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append"]
    words += [CMDLINE + image.words]
    words += ["-drive", f"file={_quoted(image.disk)},format=raw,if=none,id=disk,snapshot=on"]
    words += ["-device", "virtio-blk-pci,drive=disk"]
    words += ["-chardev", f"file,id=console,path={_quoted(console)}", "-serial", "chardev:console"]
    words += ["-device", "virtio-serial-pci"]
    words += ["-chardev", "stdio,id=terminal,signal=off"]
    words += ["-device", "virtserialport,chardev=terminal,name=plumbline.terminal"]
    for share in shares:
        how = "" if share.writable else ",readonly=on"
        where = f"id={share.tag},path={_quoted(share.folder)}"
        words += ["-fsdev", f"local,{where},security_model=none,multidevs=remap{how}"]
        words += ["-device", f"virtio-9p-pci,fsdev={share.tag},mount_tag={share.tag}"]
    for number, nic in enumerate(NICS, start=1):
        words += [
            "-device",
            f"pcie-root-port,id=port{number},chassis={number},addr={number + 15:#x}",
        ]
        words += ["-netdev", f"hubport,id=nic{number},hubid=1"]
        mac = MAC.format(number=number)
        words += ["-device", f"{nic},netdev=nic{number},bus=port{number},mac={mac}"]
    return words


def _in(root: Path) -> Emulator:
    """Return the QEMU of a root folder, run by that folder's own loader and with its libraries."""
    libraries = root / "usr/lib/x86_64-linux-gnu"
    start = [str(root / "lib64/ld-linux-x86-64.so.2"), "--library-path", str(libraries)]
    start += [str(root / "usr/bin" / NAME)]
    start += ["-L", str(root / "usr/share/qemu"), "-L", str(root / "usr/share/seabios")]
    return Emulator(start, {"QEMU_MODULE_DIR": str(libraries / "qemu")})


def _has_nic(found: Emulator) -> bool:
    done = subprocess.run(
        [*found.argv, "-device", f"{NIC},help"],
        env=os.environ | found.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.startswith(f"{NIC} options")


def _quoted(path: Path) -> str:
    """Write a path as a value among options, where a comma separates."""
    return str(path).replace(",", ",,")
