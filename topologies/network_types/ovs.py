# SPDX-License-Identifier: GPL-2.0-or-later
"""An Open vSwitch bridge that the host makes, without an uplink."""

from topologies.network_types.unconnected_bridge import UnconnectedBridge


class OvsNetwork(UnconnectedBridge):
    """`ovs-vsctl add-br NAME` (D4, "Open vSwitch")."""

    name = "ovs"
    switches = ("ovs",)
