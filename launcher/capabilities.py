# SPDX-License-Identifier: GPL-2.0-or-later
"""The capabilities that `--expect` knows by name, each with the probe that decides it."""

from collections.abc import Callable

from launcher import hardware_probes, kernel_probes, tool_probes
from launcher.finding import HERE, Finding, Probed, State

__all__ = ["CAPABILITIES", "HERE", "Finding", "Probed", "State"]

CAPABILITIES: dict[str, Callable[[Probed], Finding]] = {
    "kvm": hardware_probes.kvm,
    "libvirt": tool_probes.libvirt,
    "ovs": tool_probes.ovs,
    "ovs-kernel": kernel_probes.ovs_kernel,
    "nftables": kernel_probes.nftables,
    "iptables": kernel_probes.iptables,
    "bridge-nf": kernel_probes.bridge_nf,
    "brctl": tool_probes.brctl,
    "iperf3": tool_probes.iperf3,
    "virt-install": tool_probes.virt_install,
    "vlan": kernel_probes.vlan,
    "bonding": kernel_probes.bonding,
    "netem": kernel_probes.netem,
    "htb": kernel_probes.htb,
    "vhost": hardware_probes.vhost,
    "iommu": hardware_probes.iommu,
    "sriov": hardware_probes.sriov,
}
