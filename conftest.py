# SPDX-License-Identifier: GPL-2.0-or-later
"""Registers Plumbline's pytest options and plugins."""

pytest_plugins = [
    "fixtures.options",
    "fixtures.collection",
    "fixtures.distribution",
    "fixtures.network",
    "fixtures.recording",
    "fixtures.sampling",
    "reports.recording.recorder",
    "reports.terminal.plugin",
]
