# SPDX-License-Identifier: GPL-2.0-or-later
"""A fleet: the records of many hosts on one page, and what the red ones have in common."""
