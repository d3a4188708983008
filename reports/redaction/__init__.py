# SPDX-License-Identifier: GPL-2.0-or-later
"""Redaction: runs without what may identify the site they were made at."""
