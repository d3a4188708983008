# SPDX-License-Identifier: GPL-2.0-or-later
"""Probes of the hardware, or of the machine that emulates it."""

import os

from fixtures.guest import image, kvm_proof
from launcher.finding import HERE, INSTALL, Finding, Module, Probed, State
from launcher.tool_probes import qemu_path


def kvm(machine: Probed = HERE) -> Finding:
    """KVM, proven by a boot; the result is cached until the machine boots again.

    The proof is for this machine's kernel and QEMU, on every host.
    """
    del machine
    if not kvm_proof.KVM.exists():
        return Finding(
            "kvm",
            State.NO,
            f"there is no {kvm_proof.KVM}: guests run under TCG",
            "sudo modprobe kvm_intel (or kvm_amd), with virtualisation on in the firmware",
        )
    qemu = qemu_path()
    if qemu is None:
        return Finding("kvm", State.NOT_PROVEN, f"{kvm_proof.KVM} is there, QEMU is not", INSTALL)
    try:
        cached = image.cached()
    except image.ImageError as error:
        return Finding("kvm", State.NOT_PROVEN, error.message, error.hint)
    if cached is None:
        fix = "./plumbline image build"
        detail = f"{kvm_proof.KVM} is there, and no guest image yet to prove it by a boot"
        return Finding("kvm", State.NOT_PROVEN, detail, fix)
    return _proven(cached, qemu)


def _proven(cached: image.Image, qemu: str) -> Finding:
    """Return the finding of a boot of the image under KVM, made now or before."""
    proof = kvm_proof.remembered(cached, qemu)
    if proof is None and not os.access(kvm_proof.KVM, os.R_OK | os.W_OK):
        detail = f"this user may not open {kvm_proof.KVM}"
        return Finding("kvm", State.NOT_PROVEN, detail, "sudo ./plumbline doctor")
    proof = proof or kvm_proof.kvm(cached, qemu)
    if proof.proven:
        return Finding("kvm", State.YES, proof.reason)
    fix = "no fix: needs hardware virtualisation that works; guests run under TCG"
    return Finding("kvm", State.NO, proof.reason, fix)


def vhost(machine: Probed = HERE) -> Finding:
    """The kernel's virtio-net back end."""
    node = "/dev/vhost-net"
    if machine.path(node).is_char_device():
        return Finding("vhost", State.YES, f"{node} is there")
    return Finding(
        "vhost", State.NO, f"there is no {node}", Module("vhost_net", "CONFIG_VHOST_NET").fix()
    )


def iommu(machine: Probed = HERE) -> Finding:
    """An IOMMU that is on."""
    name = "/sys/kernel/iommu_groups"
    groups = machine.path(name)
    count = len(list(groups.iterdir())) if groups.is_dir() else 0
    if count:
        return Finding("iommu", State.YES, f"{count} IOMMU groups")
    fix = "VT-d or AMD-Vi on in the firmware, intel_iommu=on; or ./plumbline run --host lab"
    return Finding("iommu", State.NO, f"no group in {name}", fix)


def sriov(machine: Probed = HERE) -> Finding:
    """NICs that offer virtual functions."""
    offers = {
        total.parts[-3]: total.read_text().strip()
        for total in machine.path("/sys/class/net").glob("*/device/sriov_totalvfs")
    }
    offers = {nic: count for nic, count in offers.items() if count != "0"}
    if offers:
        detail = ", ".join(f"{nic} ({count} VFs)" for nic, count in sorted(offers.items()))
        return Finding("sriov", State.YES, detail)
    return Finding(
        "sriov",
        State.NO,
        "no NIC offers VFs",
        "an SR-IOV NIC; or ./plumbline run --host lab",
    )
