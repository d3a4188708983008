# SPDX-License-Identifier: GPL-2.0-or-later
"""Proof of tidiness: runs that are killed at random moments, and what is left of them."""
