# SPDX-License-Identifier: GPL-2.0-or-later
"""A live network beside its definition: what is written otherwise, missing, or more."""

import pytest

from topologies.network_import.as_asked import differences
from topologies.network_import.refused_place import line_of
from topologies.network_import.xml_reader import read_xml

ASKED = """\
<network>
  <name>lab</name>
  <forward mode='nat'/>
  <mac address='52:54:00:AA:BB:CC'/>
  <domain name='lab.example.test'/>
  <ip address='192.168.77.1' prefix='24'>
    <dhcp>
      <range start='192.168.77.2' end='192.168.77.99'/>
      <host mac='52:54:00:00:00:02' ip='192.168.77.102'/>
      <host mac='52:54:00:00:00:01' ip='192.168.77.101'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='2001:db8:0::1' prefix='64'/>
</network>
"""
LIVE = """\
<network connections='2'>
  <name>lab</name>
  <uuid>7bd40d1f-3c0f-4c26-9cb2-6f0a9e3b2c55</uuid>
  <forward mode='nat'>
    <nat>
      <port start='1024' end='65535'/>
    </nat>
  </forward>
  <bridge name='virbr0' stp='on' delay='0'/>
  <mac address='52:54:00:aa:bb:cc'/>
  <domain name='lab.example.test'/>
  <ip address='192.168.77.1' prefix='24'>
    <dhcp>
      <range start='192.168.77.2' end='192.168.77.99'/>
      <host mac='52:54:00:00:00:01' ip='192.168.77.101'/>
      <host mac='52:54:00:00:00:02' ip='192.168.77.102'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='2001:db8::1' prefix='64'/>
</network>
"""


def seen(live: str, asked: str = ASKED) -> list[str]:
    return list(differences(read_xml(asked), read_xml(live)))


def test_what_libvirt_fills_in_and_writes_otherwise_is_no_difference() -> None:
    assert seen(LIVE) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("lab.example.test", "x.test"), 'line 5: network/domain@name is "x.test", asked for'),
        (("  <domain name='lab.example.test'/>\n", ""), "line 5: network/domain name="),
        (("77.102", "77.103"), 'network/ip/dhcp/host@ip is "192.168.77.103", asked for'),
        (("<name>lab<", "<name>lob<"), "line 2: network/name is lob, asked for lab"),
        (("<dhcp>", "<tftp root='/srv'/><dhcp>"), 'network/ip/tftp root="/srv" is live, and was'),
        (("<range", "<range start='192.168.77.200' end='192.168.77.201'/><range"), "was not asked"),
        (("mode='nat'", "mode='route'"), 'line 3: network/forward@mode is "route"'),
        (("<domain", "<domain localOnly='yes'"), '@localOnly="yes" is live, and was not asked'),
        # libvirt fills these in, with other values.
        (("stp='on'", "stp='off'"), 'network/bridge@stp="off" is live, and was not asked for'),
        (("delay='0'", "delay='7'"), 'network/bridge@delay="7" is live, and was not asked for'),
        (("'1024'", "'2048'"), 'nat/port@start="2048" is live, and was not asked for'),
        (("<nat>", "<nat ipv6='yes'>"), 'forward/nat@ipv6="yes" is live, and was not asked for'),
    ],
)
def test_every_other_difference_is_named(change: tuple[str, str], said: str) -> None:
    found = seen(LIVE.replace(*change))
    assert len(found) == 1, found
    assert said in found[0]


def test_only_the_mode_that_libvirt_takes_is_filled_in() -> None:
    asked = ASKED.replace(" mode='nat'", "")
    assert seen(LIVE, asked) == []
    assert seen(LIVE.replace("mode='nat'", "mode='route'"), asked) == [
        'network/forward@mode="route" is live, and was not asked for'
    ]


DEFAULTS = """\
<network ipv6='no'>
  <name>lab</name>
  <dns>
    <srv service='ldap' protocol='tcp' target='api.test' port='389' priority='0' weight='0'/>
  </dns>
  <ip address='192.168.77.1' prefix='24'>
    <dhcp>
      <range start='192.168.77.2' end='192.168.77.99'><lease expiry='10'/></range>
      <host mac='52:54:00:00:00:02' ip='192.168.77.102'><lease expiry='0' unit='hours'/></host>
    </dhcp>
  </ip>
</network>
"""
# libvirt 9.0, virsh net-dumpxml.
DEFAULTS_LIVE = """\
<network>
  <name>lab</name>
  <dns>
    <srv service='ldap' protocol='tcp' target='api.test' port='389'/>
  </dns>
  <ip address='192.168.77.1' prefix='24'>
    <dhcp>
      <range start='192.168.77.2' end='192.168.77.99'><lease expiry='10' unit='minutes'/></range>
      <host mac='52:54:00:00:00:02' ip='192.168.77.102'><lease expiry='0'/></host>
    </dhcp>
  </ip>
</network>
"""


def test_what_asks_for_nothing_is_left_out() -> None:
    assert seen(DEFAULTS_LIVE, DEFAULTS) == []
    assert len(seen(DEFAULTS_LIVE, DEFAULTS.replace("weight='0'", "weight='5'"))) == 1
    other = DEFAULTS.replace("expiry='0' unit", "expiry='3' unit")
    assert len(seen(DEFAULTS_LIVE.replace("expiry='0'", "expiry='3'"), other)) == 1


def test_a_network_of_functions_keeps_them_alone_over_a_restart_of_libvirtd() -> None:
    asked = "<network><name>n</name><forward mode='hostdev'><pf dev='eth1'/></forward></network>"
    function = "<address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x0'/>"
    kept = asked.replace("<pf dev='eth1'/>", function)
    assert seen(kept, asked) == []
    nothing = asked.replace("<pf dev='eth1'/>", "")
    assert seen(nothing, asked) == ['line 1: network/forward/pf dev="eth1" is not live']


def test_metadata_belongs_to_others() -> None:
    text = "<network><name>x</name><metadata><a:b xmlns:a='u'>c</a:b></metadata></network>"
    live = "<network><name>x</name><metadata>\n <z:b xmlns:z='u'>c</z:b>\n</metadata></network>"
    assert seen(live, text) == []


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("XML error: Invalid address '192.168.77.102' in network 'lab'", 9),
        ("internal error: zone lab.example.test requested for network lab", 5),
        ("XML error: range 192.168.77.2 - 192.168.77.99 is not entirely within", 8),
        ("XML error: <domain> is not allowed in network lab", 5),
        ("operation failed: network 'lab' already exists with uuid 7bd40d1f", 2),
        ("internal error: child process (tc) unexpected exit status 2", None),
    ],
)
def test_libvirts_words_lead_to_a_line_where_they_name_one(message: str, line: int | None) -> None:
    assert line_of(message, read_xml(ASKED)) == line
