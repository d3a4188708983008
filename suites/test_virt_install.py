# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that is made by virt-install, as the documents make it."""

import contextlib
import json
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import libvirt
import pytest

from fixtures.errors import NotTestable
from fixtures.guest.guest import Guest
from fixtures.host.host import Host
from fixtures.probe.evidence import Evidence
from fixtures.switch.default_network import default_is_off, default_network
from fixtures.switch.linux_bridge import LinuxBridge
from fixtures.testbed.testbed import Testbed

NAME = "plumb-bare"
# Python with libosinfo's database, on a busy machine.
DEADLINE_S = 120.0
# Newer ones ask for the guest's operating system, which the document's command does not name.
AS_BEFORE = ("env", "VIRTINSTALL_OSINFO_DISABLE_REQUIRE=1")


@pytest.mark.lengthy
@pytest.mark.claims("NT-19")
@pytest.mark.needs("virt-install")
@pytest.mark.changes_host("starts libvirt's default network", only_if=default_is_off)
def test_guest_without_network_options(testbed: Testbed, evidence: Evidence) -> None:
    """A guest that virt-install makes without network options is on the network `default`.

    Source: virt-install(1), `--network`: without it a bridge with the host's way out is taken, and
    failing that the network `default`.

    Preconditions:
        - libvirt has the default network, or the host has the distribution's file of it
        - no default route of the host goes over a Linux bridge: virt-install takes that one
    Steps:
        1. Start the default network.
        2. Run D4's virt-install, by the kernel of the topology's guests in place of a disk and, as
           there, without a network option.
        3. Read the guest's NICs from its live XML, and the ports of the network's bridge.
    Verify:
        - virt-install succeeds
        - the guest has one NIC, on the network `default`
        - its TAP is a port of that network's bridge
    """
    host = testbed.host
    if (bridge := _bridge_of_the_way_out(host)) is not None:
        raise NotTestable(
            "a default route over no bridge",
            f"it goes over {bridge}, which virt-install takes in place of a network",
        )
    with default_network(host) as default, _installed(testbed.guests[0]) as failure:
        assert not failure, f"virt-install made no guest: {failure}"
        xml = host.libvirt.lookupByName(NAME).XMLDesc()
        evidence.text("domain.xml", xml, "application/xml")
        found = ET.fromstring(xml).findall("devices/interface")
        nics = [
            (_attribute(nic, "source", "network"), _attribute(nic, "target", "dev"))
            for nic in found
        ]
        assert len(nics) == 1, f"the guest has {len(nics)} NICs: {nics}"
        [(network, tap)] = nics
        assert network == default.name(), f"the guest is on {network or 'no network'}"
        bridge = default.bridgeName()
        ports = LinuxBridge(host, bridge).ports()
        assert tap in ports, f"{tap} is no port of {bridge}: {ports}"
    evidence.reason = f"without network options: {tap} on network {network}, bridge {bridge}"


@contextlib.contextmanager
def _installed(like: Guest) -> Iterator[str]:
    """Have virt-install make a guest; yields its last words if it fails. After, it is gone.

    Args:
        like: the guest whose host, kernel and accelerator it has.
    """
    host, plan = like.host, like.plan
    # D4, "the Linux bridge", with a display that opens no port, and without the disk, for which
    # virt-install would define a storage pool.
    argv = ["virt-install", "--connect", "qemu:///system", "--name", NAME, "--ram", "128"]
    argv += ["--virt-type", "kvm" if plan.accel == "kvm" else "qemu", "--hvm"]
    argv += ["--import", "--boot", f"kernel={plan.kernel},initrd={plan.initrd}"]
    argv += ["--disk", "none", "--graphics", "none", "--noautoconsole"]
    try:
        done = host.run([*AS_BEFORE, *argv], check=False, deadline_s=DEADLINE_S)
        yield "" if done.status == 0 else done.last_words
    finally:
        for domain in host.libvirt.listAllDomains():
            if domain.name() == NAME:
                _remove(domain)


def _remove(domain: libvirt.virDomain) -> None:
    persistent = domain.isPersistent()
    if domain.isActive():
        domain.destroy()
    # A transient one is gone by now.
    if persistent:
        domain.undefine()


def _bridge_of_the_way_out(host: Host) -> str | None:
    """Return the Linux bridge that an IPv4 default route of the host goes over; None: none does."""
    for route in json.loads(host.run(["ip", "-4", "-json", "route", "show", "default"]).stdout):
        argv = ["ip", "-details", "-json", "link", "show", "dev", route["dev"]]
        [link] = json.loads(host.run(argv).stdout)
        if link.get("linkinfo", {}).get("info_kind") == "bridge":
            return str(route["dev"])
    return None


def _attribute(nic: ET.Element, path: str, name: str) -> str:
    element = nic.find(path)
    return element.get(name, "") if element is not None else ""
