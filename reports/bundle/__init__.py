# SPDX-License-Identifier: GPL-2.0-or-later
"""A run in one archive: written, signed, verified."""
