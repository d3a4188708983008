# SPDX-License-Identifier: GPL-2.0-or-later
"""What changed between two runs, judged from their records alone; docs/compare.md explains it."""
