# SPDX-License-Identifier: GPL-2.0-or-later
"""Probes of the kernel: each makes the object itself, in throwaway namespaces.

Everything here happens in namespaces that end with the command which made them. A kernel with
modules may load one to answer, as it would for a run.
"""

import os
import tempfile
from pathlib import Path

from launcher.finding import (
    HERE,
    INSTALL,
    Finding,
    Module,
    Probed,
    State,
    ask,
    in_namespaces,
    is_denied,
    only_root,
    tried,
)

# As in a sandbox an overlay's writes go to a tmpfs: on a container's own overlay it would fail.
TMPFS = "/dev/shm"  # noqa: S108 - only below it, in a folder with a random name
LINKS = """\
link add plumb0 type veth peer name plumb1
link add plumb2 type bridge stp_state 1
link set plumb0 master plumb2
tuntap add plumb3 mode tap
"""
VLAN = """\
link add plumb0 type veth peer name plumb1
link add link plumb0 name plumb0.5 type vlan id 5
"""
NFT = """\
add table ip plumbline
add chain ip plumbline nat { type nat hook postrouting priority 100 ; }
add rule ip plumbline nat ip saddr 192.0.2.0/24 masquerade
"""


def root() -> Finding:
    """Whether this is root, which a run needs and doctor does not."""
    if os.geteuid() == 0:
        return Finding("root", State.YES, "this is root")
    return Finding(
        "root",
        State.NOT_PROVEN,
        "not root now; a run needs it for namespaces and TAP devices",
        "sudo ./plumbline run",
    )


def namespaces() -> Finding:
    """Network, mount and PID namespaces, made."""
    answer = ask(in_namespaces(["true"], "net", "mount", "pid", "fork", "mount-proc"))
    detail = "network, mount and PID namespaces were made"
    if os.geteuid() != 0:
        detail += " (in a user namespace; a run needs root)"
    fix = "a machine, or a container that may unshare(2)"
    return tried("namespaces", answer, detail, fix)


def links() -> Finding:
    """A bridge, a veth pair and a TAP device, made."""
    answer = ask(in_namespaces(["ip", "-batch", "-"], "net"), stdin=LINKS)
    fix = "a kernel with CONFIG_BRIDGE, CONFIG_VETH and CONFIG_TUN; /dev/net/tun in a container"
    return tried("links", answer, "a bridge, a veth pair and a TAP device were made", fix)


def tun() -> Finding:
    """The device node that TAP devices come from, opened; that alone makes no device."""
    node = Path("/dev/net/tun")
    try:
        os.close(os.open(node, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        why = f"there is no {node}"
    except OSError as error:
        why = f"{node}: {error.strerror}"
        if os.geteuid() != 0 and is_denied(why):
            return only_root("tun", why)
    else:
        return Finding("tun", State.YES, f"{node} is there")
    return Finding("tun", State.NO, why, Module("tun", "CONFIG_TUN").fix())


def overlayfs() -> Finding:
    """A copy-on-write mount, made: a sandbox has its own /etc and /var that way."""
    place = TMPFS if os.access(TMPFS, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="plumbline-", dir=place) as name:
        upper, work, merged = (Path(name, part) for part in ("upper", "work", "merged"))
        for folder in (upper, work, merged):
            folder.mkdir()
        layers = f"lowerdir=/etc,upperdir={upper},workdir={work}"
        argv = ["mount", "-t", "overlay", "overlay", "-o", layers, str(merged)]
        answer = ask(in_namespaces(argv, "mount"))
    detail = "a copy-on-write mount of /etc was made"
    return tried("overlayfs", answer, detail, Module("overlay", "CONFIG_OVERLAY_FS"))


def vlan(machine: Probed = HERE) -> Finding:
    """An 802.1Q device, made."""
    answer = machine.ask(in_namespaces(["ip", "-batch", "-"], "net"), stdin=VLAN)
    return tried("vlan", answer, "an 802.1Q device was made", Module("8021q", "CONFIG_VLAN_8021Q"))


def bonding(machine: Probed = HERE) -> Finding:
    """A bond, made; the kernel's module is never loaded for it.

    Loaded without `max_bonds=0` it makes the link `bond0` in the machine's own network.
    """
    if not machine.path("/sys/class/net/bonding_masters").exists():
        fix = "modprobe bonding max_bonds=0"
        return Finding("bonding", State.NO, "no /sys/class/net/bonding_masters", fix)
    answer = machine.ask(in_namespaces(["ip", "link", "add", "plumb0", "type", "bond"], "net"))
    return tried("bonding", answer, "a bond was made", Module("bonding", "CONFIG_BONDING"))


def netem(machine: Probed = HERE) -> Finding:
    """Delay on a link, set."""
    delay = ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
    answer = machine.ask(in_namespaces(delay, "net"))
    return tried(
        "netem", answer, "delay on a link was set", Module("sch_netem", "CONFIG_NET_SCH_NETEM")
    )


def htb(machine: Probed = HERE) -> Finding:
    """The hierarchical token bucket on a link, set."""
    shaping = ["tc", "qdisc", "add", "dev", "lo", "root", "handle", "1:", "htb"]
    answer = machine.ask(in_namespaces(shaping, "net"))
    detail = "a hierarchical token bucket on a link was set"
    return tried("htb", answer, detail, Module("sch_htb", "CONFIG_NET_SCH_HTB"))


def nftables(machine: Probed = HERE) -> Finding:
    """An nftables NAT chain, made."""
    version = machine.ask(["nft", "--version"])
    if not version.ok:
        return Finding("nftables", State.NO, version.complaint, INSTALL)
    answer = machine.ask(in_namespaces(["nft", "-f", "-"], "net"), stdin=NFT)
    # "nftables v1.0.6 (Lester Gooch #5)"
    detail = f"{' '.join(version.first_line.split()[:2])}; a masquerading rule was made"
    return tried(
        "nftables", answer, detail, Module("nft_masq", "CONFIG_NF_TABLES and CONFIG_NFT_MASQ")
    )


def iptables(machine: Probed = HERE) -> Finding:
    """An iptables NAT rule, made; with the backend that iptables writes to."""
    version = machine.ask(["iptables", "--version"])
    if not version.ok:
        return Finding("iptables", State.NO, version.complaint, INSTALL)
    rule = ["iptables", "-w", "-t", "nat", "-A", "POSTROUTING", "-s", "192.0.2.0/24"]
    answer = machine.ask(in_namespaces([*rule, "-j", "MASQUERADE"], "net"))
    # "iptables v1.8.9 (nf_tables)"; before 1.8 there was no word in brackets, and one backend.
    backend = "over nftables" if "nf_tables" in version.first_line else "legacy"
    number = version.first_line.split()[1]
    detail = f"iptables {number}, {backend}; a masquerading rule was made"
    fix = "a kernel with CONFIG_IP_NF_NAT, or CONFIG_NFT_COMPAT for iptables over nftables"
    return tried("iptables", answer, detail, fix)


def bridge_nf(machine: Probed = HERE) -> Finding:
    """The sysctl that hands bridged traffic to the packet filter."""
    sysctl = "/proc/sys/net/bridge/bridge-nf-call-iptables"
    answer = machine.ask(in_namespaces(["cat", sysctl], "net"))
    detail = f"bridge-nf-call-iptables is {answer.first_line} in a new namespace"
    return tried("bridge-nf", answer, detail, Module("br_netfilter", "CONFIG_BRIDGE_NETFILTER"))


def ovs_kernel(machine: Probed = HERE) -> Finding:
    """Open vSwitch's kernel datapath: there, or not."""
    family = machine.ask(["genl", "ctrl", "get", "name", "ovs_datapath"])
    if family.ok or machine.path("/sys/module/openvswitch").exists():
        return Finding("ovs-kernel", State.YES, "the kernel's Open vSwitch datapath is there")
    detail = "the kernel has no ovs_datapath family: the userspace datapath serves"
    fix = Module("openvswitch", "CONFIG_OPENVSWITCH").fix()
    return Finding("ovs-kernel", State.NO, detail, fix)
