# SPDX-License-Identifier: GPL-2.0-or-later
"""The listings of virsh, as the documents print them."""

from fixtures.switch.virsh import domains, fields, parents, rows

# D4's.
NETWORKS = """\
 Name       State      Autostart    Persistent
----------------------------------------------------------
 default    active     yes          yes
 nat_net    inactive   no           yes

"""
INFO = """\
Name:           nat_net
UUID:           fba2ca2b-8ca7-4dbb-beee-14799ee04bc3
Active:         yes
Bridge:         virbr1
"""
TREE = """\
computer
  |
  +- net_lo_00_00_00_00_00_00
  +- pci_0000_00_03_0
  |   |
  |   +- pci_0000_03_00_0
  |   |   |
  |   |   +- net_eth0_58_20_b1_00_b8_61
  |   |
  |   +- pci_0000_03_00_1
  |       |
  |       +- net_eth1_58_20_b1_00_b8_61
  |
  +- pci_0000_00_1f_0

"""


def test_a_table_has_its_rows_by_their_names() -> None:
    assert rows(NETWORKS) == {
        "default": ["active", "yes", "yes"],
        "nat_net": ["inactive", "no", "yes"],
    }


def test_without_a_table_there_are_no_rows() -> None:
    assert rows("") == {}
    assert rows(" Name   State\n--------------\n\n") == {}


def test_info_is_read_by_its_fields() -> None:
    assert fields(INFO)["Bridge"] == "virbr1"
    assert fields(INFO)["UUID"] == "fba2ca2b-8ca7-4dbb-beee-14799ee04bc3"


def test_each_device_of_a_tree_has_its_parent() -> None:
    assert parents(TREE) == {
        "net_lo_00_00_00_00_00_00": "computer",
        "pci_0000_00_03_0": "computer",
        "pci_0000_03_00_0": "pci_0000_00_03_0",
        "net_eth0_58_20_b1_00_b8_61": "pci_0000_03_00_0",
        "pci_0000_03_00_1": "pci_0000_00_03_0",
        "net_eth1_58_20_b1_00_b8_61": "pci_0000_03_00_1",
        "pci_0000_00_1f_0": "computer",
    }


def test_guests_are_listed_with_their_states() -> None:
    listing = """\
 Id   Name           State
-------------------------------
 1    kvm1           running
 2    kvm2           paused
 -    plumb-edited   shut off
 -    another        shut off

"""
    assert domains(listing) == {
        "kvm1": "running",
        "kvm2": "paused",
        "plumb-edited": "shut off",
        "another": "shut off",
    }
    assert domains("") == {}
