# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client learns to boot over the network, and the file that it fetches."""

import re
from hashlib import sha256
from ipaddress import AddressValueError, IPv4Address
from pathlib import PurePosixPath

import pytest

from fixtures.errors import Inconclusive
from fixtures.probe.dhcp import Options, Reply, clients, new_mac
from fixtures.probe.evidence import Evidence
from fixtures.probe.station import NIC, station
from fixtures.testbed.testbed import Testbed
from topologies.dhcp import Bootp
from topologies.dnsmasq_options import DHCP_OPTION, option_number

# RFC 2132, 9.4 and 9.5; RFC 4578, 2.1.
TFTP_SERVER, BOOT_FILE, ARCHITECTURE = 66, 67, 93
BIOS, UEFI_X64 = 0, 7
# dnsmasq gives these another form than text or addresses: domains, routes, what a vendor defines.
OF_OWN_FORM = {43, 119, 120, 121, 124, 125, 249}
# 43:41:4e:57, octets
OCTETS = re.compile(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2})+")
OWN_ADDRESS = "0.0.0.0"  # noqa: S104 - dnsmasq puts its own address in its place


def _pxe(architecture: int) -> Options:
    """Return the options by which a NIC's boot program asks (RFC 4578)."""
    return (
        ("vendor_class_id", f"PXEClient:Arch:{architecture:05}:UNDI:002001".encode()),
        ("pxe_client_architecture", [architecture]),
        ("param_req_list", [1, 3, TFTP_SERVER, BOOT_FILE]),
    )


def _file_of(reply: Reply) -> str:
    """Return the file that a reply names, in BOOTP's field or in its option."""
    in_option = reply.octets.get(BOOT_FILE, b"").rstrip(b"\0").decode()
    return reply.boot_file or in_option


@pytest.mark.claims("DH-06")
def test_file_to_boot(testbed: Testbed, evidence: Evidence) -> None:
    """A PXE client's discover is answered with file and server, and a guest fetches the file.

    Source: libvirt, "Network XML format", `<bootp>` and `<tftp>`; RFC 4578; RFC 1350.

    Preconditions:
        - the network's `dhcp.bootp` names a file
    Steps:
        1. Have a client ask as a NIC's boot program does, of a BIOS and of UEFI.
        2. Where the network has a TFTP server and boots from it, fetch the file by TFTP from a
           guest, from the server that was named.
    Verify:
        - each offer has the file and the server of `<bootp>`; without one the network's own
        - the file that the guest fetched is that of the host's folder
    """
    network = testbed.topology.network
    bootp = None if network.dhcp is None else network.dhcp.bootp
    if bootp is None:
        raise testbed.without("a file to boot", "networks[0].dhcp.bootp is null")
    wanted = (bootp.file, str(bootp.server or testbed.host_address))
    with (
        station(testbed.host, testbed.switch, "st1") as port,
        evidence.capture(port.machine, NIC) as frames,
        clients(port, frames) as asking,
    ):
        mac = new_mac()
        offers = {each: asking.offer(mac, more=_pxe(each)) for each in (BIOS, UEFI_X64)}
    seen = {
        architecture: None if reply is None else (_file_of(reply), reply.next_server)
        for architecture, reply in offers.items()
    }
    evidence.reason = f"offered {seen}"
    wrong = [f"architecture {a}: {s}" for a, s in seen.items() if s != wanted]
    assert not wrong, f"{'; '.join(wrong)}; expected file and server {wanted}"
    if network.tftp is not None and wanted[1] == testbed.host_address:
        _require_fetched(testbed, evidence, network.tftp.root, bootp)


def _require_fetched(testbed: Testbed, evidence: Evidence, root: str, bootp: Bootp) -> None:
    """Require that a guest fetches the file as it is on the host."""
    guest, fetched = testbed.guests[0], "/run/fetched"
    place = testbed.host.seen(str(PurePosixPath(root, bootp.file.lstrip("/"))))
    if not place.is_file():
        raise Inconclusive(f"control failed: {root} of the host has no file {bootp.file}")
    kept = sha256(place.read_bytes()).hexdigest()
    try:
        done = guest.run(
            ["tftp", "-g", "-r", bootp.file, "-l", fetched, testbed.host_address], check=False
        )
        said = (done.stdout + done.stderr).strip()
        assert done.status == 0, f"{guest.name} does not fetch {bootp.file} by TFTP: {said}"
        digest = guest.run(["sha256sum", fetched]).stdout.split()[0]
    finally:
        guest.run(["rm", "-f", fetched])
    evidence.reason += f"; fetched by TFTP with SHA-256 {digest[:12]}…"
    assert digest == kept, f"{guest.name} fetched {digest}, the host's file is {kept}"


@pytest.mark.claims("DH-07")
def test_dhcp_options_of_dnsmasq(testbed: Testbed, evidence: Evidence) -> None:
    """A `dhcp-option` of `<dnsmasq:options>` is in the offer.

    Source: libvirt, "Network XML format", "Network namespaces"; dnsmasq(8), `--dhcp-option`.

    Preconditions:
        - the network's `dnsmasq_options` has a `dhcp-option` for all clients, by number or by one
          of dnsmasq's names that Plumbline knows, with a text, a number or addresses as value
    Steps:
        1. Have a client ask for these options.
    Verify:
        - the offer has each with its value: addresses, a number, or a text
    """
    options = testbed.topology.network.dnsmasq_options
    wanted = dict(filter(None, (_given(each, testbed.host_address) for each in options)))
    if not wanted:
        raise testbed.without("a dhcp-option", "networks[0].dnsmasq_options has none to look for")
    with (
        station(testbed.host, testbed.switch, "st1") as port,
        evidence.capture(port.machine, NIC) as frames,
        clients(port, frames) as asking,
    ):
        offer = asking.offer(new_mac(), more=(("param_req_list", [1, 3, *wanted]),))
    assert offer is not None, "a client that asks for the options is offered nothing"
    seen = {number: offer.octets.get(number, b"") for number in wanted}
    evidence.reason = ", ".join(f"option {n}: {octets.hex(' ')}" for n, octets in seen.items())
    wrong = [
        f"option {number} is {octets.hex(' ') or 'missing'}; expected {' or '.join(right)}"
        for number, octets in seen.items()
        if octets.hex(" ") not in (right := [form.hex(" ") for form in wanted[number]])
    ]
    assert not wrong, "; ".join(wrong)


def _given(option: str, own: str) -> tuple[int, list[bytes]] | None:
    """Return the number of a `dhcp-option` and the forms that its value may have; None: another.

    `dhcp-option=42,10.10.10.1` and `dhcp-option=option:ntp-server,10.10.10.1` are the same.

    Args:
        option: the line of dnsmasq's configuration.
        own: the server's address.
    """
    name, _, rest = option.partition("=")
    word, *values = rest.split(",")
    number = option_number(word) if name == DHCP_OPTION else None
    if number is None or number in OF_OWN_FORM or any(map(OCTETS.fullmatch, values)):
        return None
    forms = [",".join(values).encode()]
    try:
        addresses = [IPv4Address(own if each == OWN_ADDRESS else each) for each in values]
        forms.append(b"".join(each.packed for each in addresses))
    except AddressValueError:
        if len(values) == 1 and values[0].isdecimal():
            forms += [
                int(values[0]).to_bytes(size)
                for size in (1, 2, 4)
                if int(values[0]) < 1 << (8 * size)
            ]
    return number, forms
