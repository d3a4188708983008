# SPDX-License-Identifier: GPL-2.0-or-later
"""A sandbox that is a machine with networks of its own, and with a guest of somebody else's."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Interface, IPv6Address, IPv6Network
from pathlib import Path

from contracts.address_family import IPV6
from fixtures.guest.domain_xml import GuestPlan, Nic
from fixtures.guest.guest import Guest
from fixtures.guest.guest_address import address_guest
from fixtures.guest.guest_boot import running
from fixtures.guest.image import Image, with_files
from fixtures.guest.keys import make_keys
from fixtures.host.command import Completed
from fixtures.host.host import Host
from fixtures.host.journal import PLACE as JOURNAL
from fixtures.host.links import add_address
from fixtures.host.sandbox import sandbox
from fixtures.switch.ovs_bridge import OvsBridge
from fixtures.switch.switches import switch_of
from fixtures.testbed.build_network import built_network
from fixtures.testbed.config_snapshot import FILTERS, HOST, LINKS, lines
from fixtures.testbed.physical_network import LAN_BRIDGE, PhysicalNetwork, physical_network
from fixtures.waiting import until
from launcher import packages
from tests.launched import ROOT
from topologies.library import load
from topologies.physical_ipv6 import PhysicalIpv6
from topologies.topology import Guest as GuestData

DEFAULT = """\
<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>
  <name>default</name>
  <forward mode='nat'>
    <nat ipv6='yes'/>
  </forward>
  <bridge name='virbr0'/>
  <domain name='site.test'/>
  <dns>
    <host ip='192.168.122.5'>
      <hostname>files.site.test</hostname>
    </host>
    <host ip='2001:db8:122::5'>
      <hostname>files6.site.test</hostname>
    </host>
  </dns>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'>
        <lease expiry='20' unit='minutes'/>
      </range>
      <host mac='52:54:00:0b:0b:55' name='files' ip='192.168.122.5'/>
      <bootp file='pxelinux.0' server='192.168.122.5'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='fd00:122::1' prefix='64'/>
  <route address='198.51.100.0' prefix='24' gateway='192.168.122.5'/>
  <dnsmasq:options>
    <dnsmasq:option value='dhcp-option=42,192.168.122.5'/>
  </dnsmasq:options>
</network>
"""
# Of a type that Plumbline does not know, and one that is defined and not started.
VEPA = "<network><name>vepa</name><forward mode='vepa' dev='eth1'/></network>"
ASLEEP = DEFAULT.replace("default", "asleep").replace("virbr0", "virbr8").replace("122", "123")
# Of the network beyond br0, whose router advertises it (RFC 3849).
BEYOND = PhysicalIpv6(
    subnet=IPv6Network("2001:db8:1::/64"),
    router=IPv6Address("2001:db8:1::1"),
    host=IPv6Address("2001:db8:1::2"),
    outside=IPv6Address("2001:db8:1::10"),
)
BYSTANDER = GuestData.model_validate(
    {
        "name": "bystander",
        "network": "default",
        "attach": "network",
        "mac": "52:54:00:0b:0b:0b",
        "address": "dhcp",
    }
)
ROUTER_ON_LINK = "fe80::1"
# The machine's own dnsmasq writes its file otherwise.
ADVERTISE = (
    *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--port=0"),
    *("--pid-file=", f"--interface={LAN_BRIDGE}", "--bind-interfaces", "--enable-ra"),
    f"--dhcp-range={BEYOND.subnet.network_address},ra-only",
)
# The machine's own files; a run has its own at the usual place.
STATE = Path("/run/machine")
RUN_DEADLINE_S = 900.0
PLUMBLINE = (sys.executable, str(ROOT / "plumbline"))
FROM_A_FOLDER = ("sh", "-c", 'cd "$0" && exec "$@"')
# `ps` lists the bystander's kernel too; what a run leaves would be one more.
UNORDERED = ("ip", "ovs-ofctl", "ovs-vsctl", "ps")


class MachineWithNetworks:
    """It, with what it is asked.

    Attributes:
        host: the sandbox.
        bystander: somebody else's guest on its default network.
        ovs: its Open vSwitch bridge, with a libvirt network over it.
    """

    def __init__(self, host: Host, bystander: Guest, ovs: OvsBridge) -> None:
        self.host = host
        self.bystander = bystander
        self.ovs = ovs

    def plumbline(self, *words: str, folder: Path) -> Completed:
        """Run `./plumbline` on it, from a folder, as its user does."""
        return self.host.run(
            [*FROM_A_FOLDER, str(folder), *PLUMBLINE, *words],
            check=False,
            deadline_s=RUN_DEADLINE_S,
        )

    def killed(self, *words: str, folder: Path) -> None:
        """Start a run on it, kill the harness once its guests are there, and wait for the end."""
        guests = {BYSTANDER.name}
        with self.host.background([*FROM_A_FOLDER, str(folder), *PLUMBLINE, *words]):
            until(lambda: self.domains() > guests, "the run's guests", deadline_s=RUN_DEADLINE_S)
            harness = self.host.read("/run/plumbline/harness").split()[0]
            self.host.run(["kill", "-KILL", harness])
            until(
                lambda: not self.host.seen(JOURNAL).exists() and self.domains() == guests,
                "the guardian has taken the run down",
                deadline_s=RUN_DEADLINE_S,
            )

    @contextlib.contextmanager
    def with_network(self, xml: str) -> Iterator[None]:
        """Have a network of libvirt's beside the others for a `with` block."""
        network = self.host.libvirt.networkDefineXML(xml)
        network.create()
        try:
            yield
        finally:
            network.destroy()
            network.undefine()

    def domains(self) -> set[str]:
        """Return the names of its guests."""
        return {domain.name() for domain in self.host.libvirt.listAllDomains()}

    def snapshot(self) -> Mapping[str, Sequence[str]]:
        """Return all that a run must leave as it is."""
        commands = (*LINKS, *FILTERS, *HOST, *self.ovs.listings())
        found = {
            " ".join(argv): lines(self.host.run(argv).stdout, in_order=argv[0] not in UNORDERED)
            for argv in commands
        }
        for network in self.host.libvirt.listAllNetworks():
            found[f"network {network.name()}"] = network.XMLDesc().splitlines()
            if network.isActive():
                given = sorted(f"{e['mac']} {e['ipaddr']}" for e in network.DHCPLeases())
                found[f"leases of {network.name()}"] = given
        for domain in self.host.libvirt.listAllDomains():
            found[f"domain {domain.name()}"] = domain.XMLDesc().splitlines()
        [tap] = json.loads(
            self.host.run(["ip", "-json", "link", "show", self.bystander.tap]).stdout
        )
        found["the bystander's TAP"] = [f"{tap['ifindex']} {tap['master']} {tap['operstate']}"]
        found["the bystander's boot"] = [self.bystander.boot_id()]
        return found


@contextlib.contextmanager
def machine_with_networks(image: Image) -> Iterator[MachineWithNetworks]:
    """Make it: `default`, `br0` over a NIC, and `br-ex` with the libvirt network `br-ex-net`."""
    # Daemons are below /usr/sbin.
    os.environ["PATH"] = packages.search_path()
    with sandbox() as host, contextlib.ExitStack() as stack:
        host.run(["rmdir", str(host.state)])
        host.state = STATE
        host.run(["mkdir", str(STATE)])
        bridged = load("bridged")
        assert bridged.physical is not None
        beyond = stack.enter_context(physical_network(host, bridged.physical))
        plain = bridged.network.model_copy(update={"libvirt_name": None})
        stack.enter_context(built_network(host, plain))
        _address_by_ipv6(host, plain.bridge, beyond)
        over = load("ovs").network.model_copy(
            update={
                "name": "br-ex",
                "bridge_name": "br-ex",
                "address": IPv4Interface("10.99.0.1/24"),
                "libvirt_name": "br-ex-net",
            }
        )
        stack.enter_context(built_network(host, over))
        for xml in (DEFAULT, VEPA):
            host.libvirt.networkDefineXML(xml).create()
        host.libvirt.networkDefineXML(ASLEEP)
        bystander = stack.enter_context(_bystander(host, image))
        ovs = switch_of(host, over)
        assert isinstance(ovs, OvsBridge)
        # A host that has a router by an advertisement is given no IPv6 network by libvirt.
        stack.enter_context(beyond.lan.background(ADVERTISE))
        yield MachineWithNetworks(host, bystander, ovs)


def _address_by_ipv6(host: Host, bridge: str, beyond: PhysicalNetwork) -> None:
    """Give a bridge and its router addresses of IPv6, and the host its default route by that."""
    for address in (str(BEYOND.router_interface), f"{ROUTER_ON_LINK}/64"):
        add_address(beyond.lan, LAN_BRIDGE, address)
    add_address(host, bridge, str(BEYOND.host_interface))
    host.netlink.route("add", dst="default", gateway=str(BEYOND.router), family=IPV6.af)


@contextlib.contextmanager
def _bystander(host: Host, image: Image) -> Iterator[Guest]:
    keys, initrd = make_keys(), host.state / "initrd"
    with_files(image, keys.guest_files, host.seen(initrd))
    nic = Nic("network", BYSTANDER.network, BYSTANDER.mac, BYSTANDER.model)
    folder = host.state / BYSTANDER.name
    plan = GuestPlan(BYSTANDER.name, image.kernel, initrd, image.tool, "tcg", folder, [nic])
    with running(host, [plan], keys) as [guest]:
        address_guest(guest, BYSTANDER, None)
        yield guest
