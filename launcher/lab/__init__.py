# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: a disposable virtual bare-metal machine, with an IOMMU and an SR-IOV NIC, as the host.

`image` builds its disk from a distribution's packages, `qemu` finds the emulator and says what the
machine is made of, `machine` boots it and waits for its end, `run` hands it a run. What runs in it
is in `guestside`: scripts, no Python.
"""
