# SPDX-License-Identifier: GPL-2.0-or-later
"""The run record and everything that is derived from it."""
