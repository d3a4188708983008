# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run shows on the terminal."""
