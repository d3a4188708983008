# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of a bridge host, read into topologies: `/etc/network/interfaces`, and netplan's."""
