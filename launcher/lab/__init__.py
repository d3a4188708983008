# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: a disposable virtual bare-metal machine, with an IOMMU and an SR-IOV NIC, as the host.

`disk_image` builds its disk from a distribution's packages, `qemu` finds the emulator and has the
machine's parts, `lab_machine` boots it and waits for its end, `lab_run` hands it a run. The scripts
that run in it are in `guestside`.
"""
