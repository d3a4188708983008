# SPDX-License-Identifier: GPL-2.0-or-later
"""Probes of programs and their versions, and of what set-up builds."""

from pathlib import Path

from fixtures.guest import image
from launcher import packages
from launcher import virtual_environment as environment
from launcher.cache import MIB, cache_dir, free_mib
from launcher.finding import HERE, INSTALL, Finding, Probed, State, ask
from launcher.setup import IMAGE_SPACE_MIB

QEMU = "qemu-system-x86_64"
# Red Hat's name and place for the same program.
QEMU_ELSEWHERE = Path("/usr/libexec/qemu-kvm")
# igb is the emulated SR-IOV NIC (QEMU 8.0); vfio-pci hands a real one to a guest.
NIC_DEVICES = ("virtio-net-pci", "rtl8139", "e1000", "e1000e", "igb", "vfio-pci")
NIC_DEVICES_NEEDED = ("virtio-net-pci",)


def libvirt(machine: Probed = HERE) -> Finding:
    """The daemon and its QEMU driver."""
    version = machine.ask(["libvirtd", "--version"])
    if not version.ok:
        return Finding("libvirt", State.NO, version.complaint, INSTALL)
    # The packages of another userland were chosen by its builder.
    here = packages.missing(["run"]) if machine == HERE else []
    if lacking := [name for name in here if name.startswith("libvirt")]:
        return Finding("libvirt", State.NO, f"without {', '.join(lacking)}", INSTALL)
    # "/usr/sbin/libvirtd (libvirt) 9.0.0"
    return Finding("libvirt", State.YES, f"libvirt {version.first_line.split()[-1]}")


def qemu_path() -> str | None:
    """Return where QEMU for x86-64 is, or None."""
    return packages.find(QEMU) or (str(QEMU_ELSEWHERE) if QEMU_ELSEWHERE.exists() else None)


def qemu() -> Finding:
    """QEMU's version."""
    path = qemu_path()
    if path is None:
        return Finding("qemu", State.NO, f"there is no {QEMU}", INSTALL)
    version = ask([path, "--version"])
    if not version.ok:
        return Finding("qemu", State.NO, version.complaint, INSTALL)
    return Finding("qemu", State.YES, version.first_line)


def qemu_nics() -> Finding:
    """Which NICs this QEMU has."""
    path = qemu_path()
    if path is None:
        return Finding("qemu-nics", State.NO, f"there is no {QEMU}", INSTALL)
    listing = ask([path, "-device", "help"])
    if not listing.ok:
        return Finding("qemu-nics", State.NO, listing.complaint, INSTALL)
    # name "e1000", bus PCI, alias "e1000-82540em", desc "Intel Gigabit Ethernet"
    names = {line.split('"')[1] for line in listing.text.splitlines() if line.startswith('name "')}
    here = [name for name in NIC_DEVICES if name in names]
    gone = [name for name in NIC_DEVICES if name not in names]
    detail = ", ".join(here) + (f"; not {', '.join(gone)}" if gone else "")
    if not names.issuperset(NIC_DEVICES_NEEDED):
        return Finding("qemu-nics", State.NO, detail, INSTALL)
    fix = "QEMU 8.0 or newer" if "igb" in gone else ""
    return Finding("qemu-nics", State.YES, detail, fix)


def ovs(machine: Probed = HERE) -> Finding:
    """Open vSwitch's daemons and tools; the userspace datapath is part of its daemon."""
    for program in ("ovs-vsctl", "ovs-vswitchd", "ovsdb-server"):
        version = machine.ask([program, "--version"])
        if not version.ok:
            return Finding("ovs", State.NO, version.complaint, INSTALL)
    # "ovsdb-server (Open vSwitch) 3.1.0"
    number = version.first_line.split()[-1]
    return Finding("ovs", State.YES, f"Open vSwitch {number} with its userspace datapath")


def dnsmasq() -> Finding:
    """The DHCP and DNS server of libvirt's networks and of the physical LAN."""
    # "Dnsmasq version 2.90  Copyright (c) …"
    return _versioned("dnsmasq", ["dnsmasq", "--version"], words=3)


def brctl(machine: Probed = HERE) -> Finding:
    """The documents' tool for Linux bridges."""
    # "bridge-utils, 1.7"
    return _versioned("brctl", ["brctl", "--version"], words=2, machine=machine)


def iperf3(machine: Probed = HERE) -> Finding:
    """The tool that measures throughput."""
    # "iperf 3.12 (cJSON 1.7.15)"
    return _versioned("iperf3", ["iperf3", "--version"], words=2, machine=machine)


def virt_install(machine: Probed = HERE) -> Finding:
    """The tool that makes a guest from a few options (package virtinst)."""
    # "4.1.0"
    return _versioned("virt-install", ["virt-install", "--version"], words=1, machine=machine)


def other_tools() -> Finding:
    """Every package that a run needs, in one row."""
    lacking = packages.missing(["run"])
    if lacking:
        return Finding("packages", State.NO, f"missing: {', '.join(lacking)}", INSTALL)
    return Finding("packages", State.YES, "every system package that a run needs is there")


def virtual_environment() -> Finding:
    """The virtual environment for this clone's lock and this Python."""
    venv = environment.path()
    if environment.is_complete(venv):
        return Finding("environment", State.YES, str(venv))
    return Finding(
        "environment", State.NO, f"not built yet: {venv}", "sudo ./plumbline run (builds it)"
    )


def guest_image() -> Finding:
    """The guest image of this clone's recipe."""
    try:
        cached = image.cached()
    except image.ImageError as error:
        return Finding("image", State.NO, error.message, error.hint)
    if cached is None:
        return Finding("image", State.NO, "not built yet", "./plumbline image build")
    sizes = [file.stat().st_size / MIB for file in (cached.kernel, cached.initrd)]
    return Finding("image", State.YES, f"kernel {sizes[0]:.1f} MiB, initramfs {sizes[1]:.1f} MiB")


def disk_space() -> Finding:
    """Room for the parts that set-up has yet to build."""
    need = 0 if environment.is_complete(environment.path()) else 2 * environment.SIZE_MIB
    need += IMAGE_SPACE_MIB if guest_image().state == State.NO else 0
    free = free_mib(cache_dir())
    detail = f"{free / 1024:.1f} GiB free in {cache_dir()}"
    if free >= need:
        return Finding("disk", State.YES, detail)
    fix = "make room, or set PLUMBLINE_CACHE to a folder on a larger file system"
    return Finding("disk", State.NO, f"{detail}; {need} MiB are needed", fix)


def _versioned(name: str, argv: list[str], *, words: int, machine: Probed = HERE) -> Finding:
    """Return the finding for a program whose version is the first `words` words that it prints."""
    version = machine.ask(argv)
    if not version.ok:
        return Finding(name, State.NO, version.complaint, INSTALL)
    return Finding(name, State.YES, " ".join(version.first_line.split()[:words]))
