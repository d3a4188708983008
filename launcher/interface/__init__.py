# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line as data, and what is made of it: completion of shells, the manual page."""
