# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions of a NIC that libvirt manages: lent to a guest, and given back to the host's driver."""

from dataclasses import dataclass

import pytest

from fixtures.errors import NotTestable, StartRefused
from fixtures.guest.domain_xml import QBH, Nic
from fixtures.guest.guest_boot import held
from fixtures.host.pci import Address
from fixtures.probe.evidence import Evidence
from fixtures.probe.sriov import free_function, function_drivers, function_in
from fixtures.testbed.testbed import Testbed
from fixtures.waiting import poll

VFIO = "vfio-pci"
# Beside the topology's own guests.
NAME, MAC = "plumb", "52:54:00:1b:f0:53"
# The kernel probes a device for its former driver at once.
BACK_DEADLINE_S = 20.0
# libvirt's words for a port profile that the NIC does not take (virnetdevvportprofile.c).
PROFILE_ERRORS = ("port profile", "portprofile", "not supported", "802.1qb")


@dataclass(frozen=True)
class Lending:
    """A function lent to a domain and given back.

    Attributes:
        lent: the function that libvirt's live XML names; None: it names none.
        before, meanwhile, after: the driver of each virtual function, by address; None: it has
            none.
        refusal: libvirt's words where it did not start the domain.
    """

    lent: Address | None
    before: dict[str, str | None]
    meanwhile: dict[str, str | None]
    after: dict[str, str | None]
    refusal: str = ""

    @property
    def fault(self) -> str | None:
        """The difference from a managed function; None: there is none."""
        if self.refusal:
            return self.refusal
        if self.lent is None:
            return f"libvirt's live XML names no function for {NAME}"
        if self.before[str(self.lent)] == VFIO:
            return f"{self.lent} is under {VFIO} before a guest has it: {self.before}"
        wanted = self.before | {str(self.lent): VFIO}
        if self.meanwhile != wanted:
            return f"while {NAME} has it the drivers are {self.meanwhile}, not {wanted}"
        if self.after != self.before:
            return (
                f"not within {BACK_DEADLINE_S:g} s: each function is under the driver that it had, "
                f"{self.before}; last seen: {self.after}"
            )
        return None

    def require_driver(self) -> None:
        """Check that the host has a driver that the function can go back to.

        Raises:
            NotTestable: it has none.
        """
        if self.before[str(self.lent)] is None:
            probe = f"{self.lent} is under none: {self.before}"
            raise NotTestable("a driver for virtual functions", probe)

    def __str__(self) -> str:
        own = self.before[str(self.lent)]
        return f"{self.lent}: {own}, {VFIO}, {own}"


@pytest.mark.claims("PT-06")
@pytest.mark.needs("iommu", "sriov")
def test_managed_function(testbed: Testbed, evidence: Evidence) -> None:
    """The function of a managed interface is vfio-pci's for the guest's life, and then the host's.

    Preconditions:
        - a virtual function of the NIC is left beside the guests' own
        - the host has a driver for virtual functions
    Steps:
        1. Read the driver of each virtual function.
        2. Start a domain with `<interface type='hostdev' managed='yes'>` and the address of the
           free function, held before its first instruction; read the drivers again.
        3. End the domain, and read the drivers until they are as before.
    Verify:
        - before, the function is not under vfio-pci
        - meanwhile, that function alone is under vfio-pci, and all others are as before
        - after, each function is under the driver that it had
    """
    address = _free_function(testbed)
    lending = _lent_and_given_back(testbed, Nic("hostdev", str(address), MAC, None), evidence)
    assert lending.fault is None, lending.fault
    lending.require_driver()
    evidence.reason = str(lending)


@pytest.mark.claims("PT-06", "PT-13")
@pytest.mark.needs("iommu", "sriov")
def test_managed_network(testbed: Testbed, evidence: Evidence) -> None:
    """The same for a function that a guest gets from the managed network.

    Preconditions:
        - a virtual function of the NIC is left beside the guests' own
        - the host has a driver for virtual functions
    Steps:
        1. Read the driver of each virtual function.
        2. Start a domain with `<interface type='network'>` on the network, held before its first
           instruction; read the drivers again.
        3. End the domain, and read the drivers until they are as before.
    Verify:
        - before, the function that the domain gets is not under vfio-pci
        - meanwhile, that function alone is under vfio-pci, and all others are as before
        - after, each function is under the driver that it had
    """
    nic = Nic("network", testbed.topology.network.name, MAC, None)
    lending = _lent_and_given_back(testbed, nic, evidence)
    assert lending.fault is None, lending.fault
    lending.require_driver()
    evidence.reason = str(lending)


@pytest.mark.claims("PT-14")
@pytest.mark.needs("iommu", "sriov")
def test_port_profile(testbed: Testbed, evidence: Evidence) -> None:
    """A port of type 802.1Qbh is accepted; without such a switch the start fails by libvirt's word.

    Preconditions:
        - a virtual function of the NIC is left beside the guests' own
    Steps:
        1. Read the driver of each virtual function.
        2. Start a domain on the free function with `<virtualport type='802.1Qbh'>` and a profile,
           held before its first instruction; if it starts, end it.
        3. Read libvirt's domains, and the drivers until they are as before.
    Verify:
        - the domain starts, or libvirt names the failed port profile or the operation that the NIC
          does not support; no other error
        - after, libvirt lists no such domain, and each function is under the driver that it had
    """
    address = _free_function(testbed)
    before = _drivers(testbed)
    assert before[str(address)] != VFIO, f"{address} is under {VFIO} before a guest has it"
    nic = Nic("hostdev", str(address), MAC, None, virtualport=QBH)
    try:
        with held(testbed.guests[0], NAME, [nic]):
            refusal = ""
    except StartRefused as error:
        refusal = error.hint
    names = [each.name() for each in testbed.host.libvirt.listAllDomains()]
    after = _drivers_as(testbed, before)
    evidence.json("drivers.json", {"before": before, "after": after})
    evidence.text("refusal.txt", f"{refusal or 'none: the domain was started'}\n")
    known = not refusal or any(word in refusal.lower() for word in PROFILE_ERRORS)
    assert known, f"the start fails for another reason than the port profile: {refusal}"
    assert NAME not in names, f"libvirt still lists {NAME}"
    assert after == before, f"the functions were under {before}, and are under {after}"
    evidence.reason = f"libvirt: {refusal or f'{NAME} was started'}; the drivers are as before"


def _lent_and_given_back(testbed: Testbed, nic: Nic, evidence: Evidence) -> Lending:
    """Have a domain hold a function, and return the drivers before, meanwhile and after."""
    before = _drivers(testbed)
    try:
        with held(testbed.guests[0], NAME, [nic]) as domain:
            lent, meanwhile = function_in(domain, MAC), _drivers(testbed)
    except StartRefused as error:
        return Lending(None, before, before, before, f"{error.message}: {error.hint}")
    after = _drivers_as(testbed, before)
    evidence.json("drivers.json", {"before": before, "while": meanwhile, "after": after})
    return Lending(lent, before, meanwhile, after)


def _drivers_as(testbed: Testbed, before: dict[str, str | None]) -> dict[str, str | None]:
    """Return the functions' drivers, as soon as they are as before; else after the deadline."""
    return poll(lambda: _drivers(testbed), lambda now: now == before, deadline_s=BACK_DEADLINE_S)


def _free_function(testbed: Testbed) -> Address:
    """Return the address of a virtual function that no guest has."""
    pf = testbed.topology.network.pf
    found = free_function(testbed.host, pf, testbed.guests)
    assert found is not None, f"no function of {pf} is left beside the guests'"
    return found[1]


def _drivers(testbed: Testbed) -> dict[str, str | None]:
    return function_drivers(testbed.host, testbed.topology.network.pf)
