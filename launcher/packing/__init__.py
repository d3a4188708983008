# SPDX-License-Identifier: GPL-2.0-or-later
"""A pack is made: harness, wheels, guest image and packages for hosts without a network."""
