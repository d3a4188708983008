# SPDX-License-Identifier: GPL-2.0-or-later
"""What launcher, fixtures and reports agree on, each written once; standard library only."""
