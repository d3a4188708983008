# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages that stand alone: one HTML file that asks nobody for anything."""
