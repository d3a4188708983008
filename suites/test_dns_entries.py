# SPDX-License-Identifier: GPL-2.0-or-later
"""The entries of a network's DNS server: hosts, texts and services; and a network without one."""

import pytest

from fixtures.errors import Inconclusive
from fixtures.guest.guest_address import request_lease
from fixtures.probe.dnsmasq import DNS_PORT, services, serving
from fixtures.probe.evidence import Evidence
from fixtures.probe.name_lookup import Record, look_up, reverse_name
from fixtures.testbed.testbed import Testbed
from topologies.dns import Dns, DnsSrv

NO_ANSWER = "ECONNREFUSED"


def _dns(testbed: Testbed) -> Dns:
    dns = testbed.topology.network.dns
    if dns is None:
        raise testbed.without("entries of a DNS server", "networks[0].dns is null")
    return dns


def _records(
    testbed: Testbed, evidence: Evidence, wanted: dict[tuple[str, Record], set[str]]
) -> None:
    """Ask for records from a guest, and require one of the expected answers to each.

    Args:
        testbed: the topology.
        evidence: keeps the answers.
        wanted: name and type of the record → its right answers; one of them has to be given, and
            nothing else.
    """
    near = testbed.guest_end(testbed.guests[0])
    seen, wrong = [], []
    for (name, record), right in wanted.items():
        answer = look_up(near, testbed.host_address, name, "udp", record)
        seen.append(f"{name} {record} {answer}")
        if not answer.answers or not set(answer.answers) <= right:
            wrong.append(f"{name} {record}: {answer}; expected {' or '.join(sorted(right))}")
    evidence.text("answers.txt", "\n".join(seen))
    evidence.reason = "; ".join(seen)
    assert not wrong, "; ".join(wrong)


@pytest.mark.claims("DN-03")
def test_host_entries(testbed: Testbed, evidence: Evidence) -> None:
    """Each `<host>` of `<dns>` gives its address by each name, and a name by its address.

    Source: libvirt, "Network XML format", `<dns>`; dnsmasq(8), `--addn-hosts`.

    Preconditions:
        - the network's `dns.hosts` has an entry
    Steps:
        1. Ask at the bridge's address from a guest for each name of each entry; for a name without
           a dot on a network with a domain, in the domain as well.
        2. Ask for the name of each entry's address.
    Verify:
        - each name gives the entry's address, and no other
        - the address gives one of the entry's names
    """
    domain = testbed.topology.network.domain
    wanted: dict[tuple[str, Record], set[str]] = {}
    for host in _dns(testbed).hosts:
        more = [f"{name}.{domain.name}" for name in host.names if domain and "." not in name]
        for name in (*host.names, *more):
            wanted[name, "A"] = {str(host.ip)}
        wanted[reverse_name(str(host.ip)), "PTR"] = {*host.names, *more}
    _records(testbed, evidence, wanted)


@pytest.mark.claims("DN-04")
def test_texts_and_services(testbed: Testbed, evidence: Evidence) -> None:
    """`<txt>` and `<srv>` of `<dns>` are answered as they are written.

    Source: libvirt, "Network XML format", `<dns>`; dnsmasq(8), `--txt-record`, `--srv-host`.

    Preconditions:
        - the network's `dns.txt` or `dns.srv` has an entry
    Steps:
        1. Ask at the bridge's address from a guest for the TXT record of each text's name.
        2. Ask for the SRV record of each service, `_SERVICE._PROTOCOL.DOMAIN`.
    Verify:
        - the TXT record has the text
        - the SRV record has target and port, and priority and weight, 0 where they are left out
    """
    dns, domain = _dns(testbed), testbed.topology.network.domain
    wanted: dict[tuple[str, Record], set[str]] = {}
    for txt in dns.txt:
        wanted.setdefault((txt.name, "TXT"), set()).add(txt.value)
    for srv in dns.srv:
        place = srv.domain or (domain.name if domain else "")
        name = f"_{srv.service}._{srv.protocol}.{place}"
        wanted.setdefault((name, "SRV"), set()).add(_written(srv))
    _records(testbed, evidence, wanted)


def _written(srv: DnsSrv) -> str:
    return f"{srv.priority or 0} {srv.weight or 0} {srv.port} {srv.target}"


@pytest.mark.claims("DN-05")
def test_no_dns_server(testbed: Testbed, evidence: Evidence) -> None:
    """With `<dns enable='no'/>` nothing listens on port 53 of the network.

    Source: libvirt, "Network XML format", `<dns>`; dnsmasq(8), `--port`.

    Preconditions:
        - the network's `dns.enable` is false
        - at least one guest has its address by DHCP
    Steps:
        1. Ask at the bridge's address from a guest for a name, by TCP.
        2. Read the sockets on which the network's dnsmasq serves.
        3. Have the guest ask by DHCP again.
    Verify:
        - the question is refused at once: the host has no such port
        - dnsmasq has no socket of port 53
        - the lease names no DNS server
        - control: the guest has a lease of that dnsmasq, so that it is there; else the check is
          inconclusive
    """
    guest = testbed.dhcp_guests[0]
    answer = look_up(testbed.guest_end(guest), testbed.host_address, guest.name, "tcp")
    found = serving(testbed.host, testbed.topology.network.name)
    sockets = [each for process in found for each in services(testbed.host, process)]
    lease = request_lease(guest)
    if lease is None or lease.server != testbed.host_address:
        raise Inconclusive(f"control failed: {guest.name} has no lease of the network's server")
    evidence.reason = f"port 53 of {testbed.host_address}: {answer}; lease {lease}"
    assert answer.failure.startswith(NO_ANSWER), f"port 53 answers {guest.name}: {answer}"
    open_ = [str(each) for each in sockets if each.port == DNS_PORT]
    assert not open_, f"the network's dnsmasq listens on {', '.join(open_)}"
    assert not lease.dns, f"the lease names DNS server {lease.dns}"
