# SPDX-License-Identifier: GPL-2.0-or-later
"""Staged hosts: a whole distribution with systemd, in namespaces of this machine (docs/staged.md).

`profile` reads what a host has, `root_folder` builds its root, `keeper` holds its namespaces and
`first_process` lays them, `staged_host` boots it and runs commands in it, `staged_run` hands it a
run.
"""
