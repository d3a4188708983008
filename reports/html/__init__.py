# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages in HTML: one file each, without any request to another place."""
