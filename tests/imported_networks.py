# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks as libvirt's XML has them, and bridges as a host has them, to be read."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface

from topologies.network_import.bridge_facts import BridgeFacts
from topologies.network_import.imported import Imported, macs_for
from topologies.network_import.libvirt_xml import imported
from topologies.network_import.reading import Setting
from topologies.network_import.xml_reader import read_xml

MACS = macs_for("a host", ())
NAT = """\
<network connections='1'>
  <name>default</name>
  <uuid>ba8f3b8b-2e57-4b9d-9f3f-8a1d0a3b8d11</uuid>
  <forward mode='nat'>
    <nat>
      <port start='1024' end='65535'/>
    </nat>
  </forward>
  <bridge name='virbr0' stp='on' delay='0'/>
  <mac address='52:54:00:11:22:33'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
    </dhcp>
  </ip>
</network>
"""
ISOLATED = """\
<network>
  <name>closed</name>
  <bridge name='virbr7' stp='off'/>
  <ip address='10.77.0.1' prefix='16'/>
</network>
"""
OVER_OVS = """\
<network>
  <name>br-ex-net</name>
  <forward mode='bridge'/>
  <bridge name='br-ex'/>
  <virtualport type='openvswitch'>
    <parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/>
  </virtualport>
  <vlan trunk='yes'>
    <tag id='42'/>
  </vlan>
</network>
"""
FUNCTIONS = """\
<network>
  <name>sriov</name>
  <forward mode='hostdev' managed='yes'>
    <pf dev='enp1s0'/>
    <address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x0'/>
    <address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x2'/>
  </forward>
</network>
"""
OVS = BridgeFacts(
    name="br-ex",
    switch="ovs",
    address=IPv4Interface("203.0.113.5/24"),
    stp=False,
    forward_delay_s=None,
    uplinks=("eno1",),
    ports=("eno1", "vnet3"),
    router=IPv4Address("203.0.113.1"),
    settings=(
        Setting("Open vSwitch bridge br-ex", "fail_mode", None, None, "secure", "not looked at"),
    ),
)
LINUX = BridgeFacts("br0", "linux", None, stp=True, forward_delay_s=15, uplinks=(), ports=())
# The host's default route over it leads nowhere.
WITHOUT_UPLINK = replace(OVS, uplinks=(), ports=("vnet3",), router_is_silent=True)
# A guest is the host's router.
BEHIND_A_GUEST = replace(WITHOUT_UPLINK, router_is_silent=False)


def read(xml: str, facts: BridgeFacts | None = None) -> Imported:
    return imported(read_xml(xml), lambda _bridge: facts)
