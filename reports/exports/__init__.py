# SPDX-License-Identifier: GPL-2.0-or-later
"""Reports as files for other programs, and for a job summary."""
