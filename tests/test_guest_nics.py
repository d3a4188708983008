# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading a guest's NICs from what its sysfs says, and a NIC's XML for plugging it in."""

from typing import cast
from xml.etree import ElementTree as ET

import pytest

from fixtures.guest.domain_xml import Nic, interface_xml
from fixtures.guest.guest import Guest
from fixtures.host.command import Completed
from fixtures.probe.guest_nics import GuestNic, guest_nics

# What busybox prints in a guest: a virtio NIC, an e1000 behind a PCI bridge, one without a driver,
# and the loopback.
LISTING = """\
lrwxrwxrwx    1 0        0        0 Nov 21 13:08 /sys/class/net/eth0 -> \
../../devices/pci0000:00/0000:00:03.0/virtio1/net/eth0
lrwxrwxrwx    1 0        0        0 Nov 21 13:08 /sys/class/net/eth0/device/driver -> \
../../../../bus/virtio/drivers/virtio_net
lrwxrwxrwx    1 0        0        0 Nov 21 13:08 /sys/class/net/eth1 -> \
../../devices/pci0000:00/0000:00:1e.0/0000:01:05.0/net/eth1
lrwxrwxrwx    1 0        0        0 Nov 21 13:08 /sys/class/net/eth1/device/driver -> \
../../../../bus/pci/drivers/e1000
lrwxrwxrwx    1 0        0        0 Nov 21 13:08 /sys/class/net/eth2 -> \
../../devices/pci0000:00/0000:00:08.0/net/eth2
lrwxrwxrwx    1 0        0        0 Nov 21 13:08 /sys/class/net/lo -> ../../devices/virtual/net/lo
/sys/class/net/eth0/address:52:54:00:55:9b:d6
/sys/class/net/eth1/address:52:54:00:55:9b:d7
/sys/class/net/eth2/address:52:54:00:55:9b:d8
/sys/class/net/lo/address:00:00:00:00:00:00
/sys/bus/pci/devices/0000:00:03.0/vendor:0x1af4
/sys/bus/pci/devices/0000:01:05.0/vendor:0x8086
/sys/bus/pci/devices/0000:00:03.0/device:0x1000
/sys/bus/pci/devices/0000:01:05.0/device:0x100e
/sys/bus/pci/devices/0000:00:03.0/class:0x020000
/sys/bus/pci/devices/0000:01:05.0/class:0x020000
"""


class Listed:
    """A guest that answers with a listing; sysfs can't be made to have these NICs without one."""

    def run(self, argv: list[str], **_: object) -> Completed:
        """Answer any command with the listing."""
        return Completed("kvm1", tuple(argv), 0, LISTING, "", 0.0)


def test_nics_with_their_pci_functions() -> None:
    assert guest_nics(cast(Guest, Listed())) == [
        GuestNic(
            "eth0", "52:54:00:55:9b:d6", "virtio_net", "0000:00:03.0", "0x1af4:0x1000", "0x020000"
        ),
        GuestNic("eth1", "52:54:00:55:9b:d7", "e1000", "0000:01:05.0", "0x8086:0x100e", "0x020000"),
    ]


@pytest.mark.parametrize("ovs", [True, False])
def test_a_nic_to_be_plugged_in_has_no_slot_yet(ovs: bool) -> None:
    xml = interface_xml(
        Nic(
            "bridge",
            "br0",
            "52:ff:ff:00:53:00",
            "rtl8139",
            virtualport="openvswitch" if ovs else None,
        )
    )
    interface = ET.fromstring(xml)
    assert (interface.tag, interface.get("type")) == ("interface", "bridge")
    assert interface.find("address") is None
    assert (interface.find("virtualport") is not None) == ovs
