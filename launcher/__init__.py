# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs before, and around, a run: set-up, command line, doctor and clean."""
