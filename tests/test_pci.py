# SPDX-License-Identifier: GPL-2.0-or-later
"""PCI functions: their addresses, what libvirt is told of them, and which NIC may be handed out."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fixtures.errors import HostFailed
from fixtures.guest.domain_xml import Nic, interface_xml
from fixtures.host import pci
from fixtures.host.host import Host, Nics
from fixtures.host.links import add_address, cable, namespace_machine
from fixtures.host.local import LocalHost
from fixtures.host.name_conflicts import require_no_name_conflicts
from fixtures.host.nic_preflight import peer_nic, require_free, require_own_group
from fixtures.host.pci import Address
from fixtures.host.sandbox import sandbox
from fixtures.switch.linux_bridge import linux_bridge
from topologies import library

TEXT = "0000:01:10.4"


@pytest.fixture
def host() -> Iterator[Host]:
    with sandbox() as made:
        yield made


def machine(root: Path) -> Host:
    """Return this process's machine with another file system: the tree of a test's own."""
    made = LocalHost()
    made.root = root
    return made


def function(root: Path, address: str, group: int, driver: str | None) -> Address:
    """Put a function into a tree as sysfs has it."""
    folder = root / "sys/bus/pci/devices" / address
    folder.mkdir(parents=True)
    devices = root / "sys/kernel/iommu_groups" / str(group) / "devices"
    devices.mkdir(parents=True, exist_ok=True)
    (devices / address).symlink_to(folder)
    (folder / "iommu_group").symlink_to(devices.parent)
    if driver is not None:
        drivers = root / "sys/bus/pci/drivers" / driver
        drivers.mkdir(parents=True, exist_ok=True)
        (folder / "driver").symlink_to(drivers)
    return Address.of(address)


def test_an_address_is_read_and_written() -> None:
    address = Address.of(TEXT)
    assert address == Address(0, 1, 0x10, 4)
    assert str(address) == TEXT
    assert address.xml == {"domain": "0x0000", "bus": "0x01", "slot": "0x10", "function": "0x4"}


@pytest.mark.parametrize("text", ["", "virtio1", "01:10.4", "0000:01:10.8", "0000:01:10.4 "])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a PCI address"):
        Address.of(text)


def test_a_function_with_a_tag_as_libvirt_is_told() -> None:
    xml = ET.fromstring(interface_xml(Nic("hostdev", TEXT, "52:54:00:00:00:01", None, vlan=42)))
    assert (xml.tag, xml.get("type"), xml.get("managed")) == ("interface", "hostdev", "yes")
    address, tag = xml.find("source/address"), xml.find("vlan/tag")
    assert address is not None
    assert tag is not None
    assert address.attrib == {"type": "pci"} | Address.of(TEXT).xml
    assert tag.get("id") == "42"
    assert xml.find("model") is None


def test_a_whole_device_as_libvirt_is_told() -> None:
    xml = ET.fromstring(interface_xml(Nic("device", TEXT, "52:54:00:00:00:01", None)))
    assert (xml.tag, xml.get("type"), xml.get("managed")) == ("hostdev", "pci", "yes")
    assert xml.find("mac") is None


def test_a_function_alone_in_its_group_may_be_handed_out(tmp_path: Path) -> None:
    own = function(tmp_path, "0000:01:00.0", 7, "igb")
    function(tmp_path, "0000:00:01.0", 7, "pcieport")
    require_own_group(machine(tmp_path), own, "eth1")
    assert pci.driver(machine(tmp_path), own) == "igb"


def test_a_group_that_is_shared_with_something_in_use_is_refused(tmp_path: Path) -> None:
    own = function(tmp_path, "0000:01:00.0", 7, "igb")
    function(tmp_path, "0000:01:00.1", 7, "nvme")
    with pytest.raises(HostFailed, match=r"shares IOMMU group 7 with 0000:01:00\.1, which nvme"):
        require_own_group(machine(tmp_path), own, "eth1")


def test_without_an_iommu_nothing_is_handed_out(tmp_path: Path) -> None:
    own = function(tmp_path, "0000:01:00.0", 7, "igb")
    (tmp_path / "sys/bus/pci/devices/0000:01:00.0/iommu_group").unlink()
    with pytest.raises(HostFailed, match="is in no IOMMU group"):
        require_own_group(machine(tmp_path), own, "eth1")


@pytest.mark.host
def test_a_nic_that_the_host_needs_is_refused(host: Host) -> None:
    with (
        namespace_machine(host, "peer") as peer,
        cable(host, "nic0", peer, "eth0"),
        linux_bridge(host, "br0") as bridge,
    ):
        require_free(host, "nic0", "--pf")
        add_address(host, "nic0", "198.51.100.1/24")
        with pytest.raises(HostFailed, match=r"--pf nic0: it has the address 198\.51\.100\.1/24"):
            require_free(host, "nic0", "--pf")
        host.run(["ip", "route", "add", "default", "via", "198.51.100.2"])
        with pytest.raises(HostFailed, match="--pf nic0: it carries the default route"):
            require_free(host, "nic0", "--pf")
        host.run(["ip", "address", "flush", "dev", "nic0"])
        host.run(["ip", "route", "add", "203.0.113.0/24", "dev", "nic0"])
        with pytest.raises(HostFailed, match=r"--pf nic0: it carries a route to 203\.0\.113\.0/24"):
            require_free(host, "nic0", "--pf")
        host.run(["ip", "route", "del", "203.0.113.0/24"])
        bridge.attach("nic0")
        with pytest.raises(HostFailed, match="--pf nic0: it is part of a bridge or bond"):
            require_free(host, "nic0", "--pf")
    with pytest.raises(HostFailed, match="has no such NIC"):
        require_free(host, "nic0", "--peer-nic")


@pytest.mark.host
def test_a_nic_without_functions_is_refused(host: Host) -> None:
    network = library.load("passthrough").network.model_copy(update={"uplink": "nic0"})
    with namespace_machine(host, "peer") as peer, cable(host, "nic0", peer, "eth0"):
        with pytest.raises(HostFailed, match="has no PCI NIC nic0"):
            peer_nic(host, network)
        with (
            pytest.raises(HostFailed, match="has no PCI NIC nic0"),
            pci.functions_on(host, "nic0", 2),
        ):
            pass
    host.nics = Nics()
    assert peer_nic(host, library.load("nat").network) is None


@pytest.mark.parametrize(
    ("offered", "on", "said"),
    [("1", "0", "offers 1 virtual functions; the topology needs 2"), ("7", "3", "3 virtual")],
)
def test_too_few_functions_or_ones_in_use_are_refused(
    offered: str, on: str, said: str, tmp_path: Path
) -> None:
    pf = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    function(tmp_path, pf.name, 7, "igb")
    (tmp_path / "sys/class/net/nic0").mkdir(parents=True)
    (tmp_path / "sys/class/net/nic0/device").symlink_to(pf)
    (pf / "sriov_totalvfs").write_text(f"{offered}\n")
    (pf / "sriov_numvfs").write_text(f"{on}\n")
    refused = pytest.raises(HostFailed, match=said)
    with refused, pci.functions_on(machine(tmp_path), "nic0", 2):
        pass
    assert (pf / "sriov_numvfs").read_text() == f"{on}\n"


@pytest.mark.host
def test_what_a_host_has_already_is_named(host: Host) -> None:
    topology = library.load("nat")
    require_no_name_conflicts(host, topology)
    with (
        linux_bridge(host, topology.network.bridge),
        namespace_machine(host, "lan"),
        pytest.raises(HostFailed) as refused,
    ):
        require_no_name_conflicts(host, topology)
    assert "link virbr1, network namespace lan" in refused.value.message


def test_functions_come_in_the_nics_order(tmp_path: Path) -> None:
    pf = function(tmp_path, "0000:01:00.0", 7, "igb")
    for number, address in ((10, "0000:01:12.0"), (2, "0000:01:10.4"), (1, "0000:01:10.2")):
        made = pci.folder(machine(tmp_path), function(tmp_path, address, 20 + number, None))
        (tmp_path / f"sys/bus/pci/devices/{pf}/virtfn{number}").symlink_to(made)
    found = [str(each) for each in pci.functions(machine(tmp_path), pf)]
    assert found == ["0000:01:10.2", "0000:01:10.4", "0000:01:12.0"]
