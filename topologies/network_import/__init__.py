# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks that exist, read into topologies: libvirt's XML, and what a host says of its bridges."""
