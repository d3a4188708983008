# SPDX-License-Identifier: GPL-2.0-or-later
"""The checks: one module per property of a network."""
