# SPDX-License-Identifier: GPL-2.0-or-later
"""How a run becomes a record, while it goes on."""
