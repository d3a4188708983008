# SPDX-License-Identifier: GPL-2.0-or-later
"""Placement: a topology beside what a shared host has, under names and addresses that are free."""

from topologies.placement.moved_fields import moved_fields
from topologies.placement.placement import Placement
from topologies.placement.taken import Taken
from topologies.placement.wire import Wire

__all__ = ["Placement", "Taken", "Wire", "moved_fields"]
