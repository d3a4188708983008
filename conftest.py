# SPDX-License-Identifier: GPL-2.0-or-later
"""Registers Plumbline's pytest options and plugins."""

pytest_plugins = [
    # Before anything imports scapy.
    "fixtures.plugin.scapy_folders",
    "fixtures.plugin.settings",
    "fixtures.plugin.collection",
    "fixtures.plugin.xdist_scheduling",
    "fixtures.plugin.host_changes",
    "fixtures.plugin.run_plan",
    "fixtures.plugin.pytest_fixtures",
    "fixtures.plugin.host_comparison",
    "fixtures.plugin.verdict_reporting",
    "fixtures.plugin.turns",
    "fixtures.plugin.sampling",
    "fixtures.plugin.one_interrupt",
    "reports.recording.recorder",
    "reports.terminal.terminal_plugin",
]
