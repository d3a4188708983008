# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux bridge that the host makes, without an uplink."""

from topologies.network_types.unconnected_bridge import UnconnectedBridge


class LinuxBridgeNetwork(UnconnectedBridge):
    """`ip link add NAME type bridge`, or `brctl addbr` (D4, "Linux bridge")."""

    name = "linux-bridge"
    switches = ("linux",)
