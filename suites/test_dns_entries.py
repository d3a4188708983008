# SPDX-License-Identifier: GPL-2.0-or-later
"""The entries of a network's DNS server: hosts, texts and services; and a network without one."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, product

import pytest

from fixtures.errors import Inconclusive
from fixtures.guest.guest import Guest
from fixtures.guest.guest_address import request_lease
from fixtures.probe.dnsmasq import DNS_PORT, services, serving
from fixtures.probe.evidence import Evidence
from fixtures.probe.name_lookup import PROTOCOLS, Proto, Record, look_up, reverse_name
from fixtures.testbed.testbed import Testbed
from topologies.dns import Dns, DnsSrv

REFUSED = "ECONNREFUSED"


def _dns(testbed: Testbed) -> Dns:
    dns = testbed.topology.network.dns
    if dns is None:
        raise testbed.without("entries of a DNS server", "networks[0].dns is null")
    return dns


@dataclass(frozen=True)
class Wanted:
    """The answers to one question.

    Attributes:
        answers: the right ones.
        whole: all of them are given; else at least one.
    """

    answers: set[str] = field(default_factory=set)
    whole: bool = True

    def is_met_by(self, given: Sequence[str]) -> bool:
        """Whether an answer has what it must, and nothing else."""
        found = set(given)
        return found == self.answers if self.whole else bool(found) and found <= self.answers

    def __str__(self) -> str:
        return (" and " if self.whole else " or ").join(sorted(self.answers))


Questions = dict[tuple[str, Record], Wanted]


def _wrong(testbed: Testbed, evidence: Evidence, questions: Questions) -> list[str]:
    """Ask each guest's questions by UDP and by TCP; return the answers that are not as expected.

    Args:
        testbed: the topology.
        evidence: keeps the answers.
        questions: name and type of the records → what is to be answered.
    """

    def ask(guest: Guest, proto: Proto) -> list[tuple[str, bool]]:
        near = testbed.guest_end(guest)
        answered = []
        for (name, record), wanted in questions.items():
            answer = look_up(near, testbed.host_address, name, proto, record)
            said = f"{guest.name} by {proto}: {name} {record} {answer}"
            is_right = wanted.is_met_by(answer.answers)
            answered.append((said if is_right else f"{said}; expected {wanted}", is_right))
        return answered

    asking = list(product(testbed.guests, PROTOCOLS))
    with ThreadPoolExecutor(len(asking)) as pool:
        seen = list(chain.from_iterable(pool.map(ask, *zip(*asking, strict=True))))
    evidence.text("answers.txt", "\n".join(said for said, _ in seen))
    evidence.reason = "; ".join(said for said, _ in seen)
    return [said for said, is_right in seen if not is_right]


@pytest.mark.claims("DN-03")
def test_host_entries(testbed: Testbed, evidence: Evidence) -> None:
    """Each `<host>` of `<dns>` gives its address by each name, and a name by its address.

    Source: libvirt, "Network XML format", `<dns>`; dnsmasq(8), `--addn-hosts`.

    Preconditions:
        - the network's `dns.hosts` has an entry
    Steps:
        1. Ask at the bridge's address from each guest, by UDP and TCP, for each name of each entry;
           for a name without a dot on a network with a domain, in the domain as well.
        2. Ask for the name of each entry's address.
    Verify:
        - each name gives the addresses of its entries, and no other
        - the address gives names of its entries, and no other
    """
    domain = testbed.topology.network.domain
    questions: Questions = {}
    for host in _dns(testbed).hosts:
        more = [f"{name}.{domain.name}" for name in host.names if domain and "." not in name]
        for name in (*host.names, *more):
            questions.setdefault((name, "A"), Wanted()).answers.add(str(host.ip))
        back = questions.setdefault((reverse_name(str(host.ip)), "PTR"), Wanted(whole=False))
        back.answers.update((*host.names, *more))
    wrong = _wrong(testbed, evidence, questions)
    assert not wrong, "; ".join(wrong)


@pytest.mark.claims("DN-04")
def test_texts_and_services(testbed: Testbed, evidence: Evidence) -> None:
    """`<txt>` and `<srv>` of `<dns>` are answered as they are written.

    Source: libvirt, "Network XML format", `<dns>`; dnsmasq(8), `--txt-record`, `--srv-host`.

    Preconditions:
        - the network's `dns.txt` or `dns.srv` has an entry
    Steps:
        1. Ask at the bridge's address from each guest, by UDP and TCP, for the TXT record of each
           text's name.
        2. Ask for the SRV record of each service, `_SERVICE._PROTOCOL.DOMAIN`.
    Verify:
        - the TXT records have the texts, and no other
        - the SRV records have target and port, and priority and weight, 0 where they are left out
    """
    dns, domain = _dns(testbed), testbed.topology.network.domain
    questions: Questions = {}
    for txt in dns.txt:
        questions.setdefault((txt.name, "TXT"), Wanted()).answers.add(txt.value)
    for srv in dns.srv:
        place = srv.domain or (domain.name if domain else "")
        name = f"_{srv.service}._{srv.protocol}.{place}"
        questions.setdefault((name, "SRV"), Wanted()).answers.add(_written(srv))
    wrong = _wrong(testbed, evidence, questions)
    assert not wrong, "; ".join(wrong)


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
        1. Ask at the bridge's address from each guest for a name, by UDP and TCP.
        2. Read the sockets on which the network's dnsmasq serves.
        3. Have the guest ask by DHCP again.
    Verify:
        - no question is answered; one that is not refused at once either, as by a packet filter,
          leaves the check inconclusive
        - dnsmasq has no socket of port 53
        - the lease names no DNS server
        - control: the guest has a lease of that dnsmasq, so that it is there; else the check is
          inconclusive
    """
    guest = testbed.dhcp_guests[0]
    answers = {
        f"{one.name} by {proto}": look_up(
            testbed.guest_end(one), testbed.host_address, one.name, proto
        )
        for one, proto in product(testbed.guests, PROTOCOLS)
    }
    found = serving(testbed.host, testbed.topology.network.name)
    sockets = [each for process in found for each in services(testbed.host, process)]
    lease = request_lease(guest)
    if lease is None or lease.server != testbed.host_address:
        raise Inconclusive(f"control failed: {guest.name} has no lease of the network's server")
    said = "; ".join(f"{who} {answer}" for who, answer in answers.items())
    evidence.reason = f"port 53 of {testbed.host_address}: {said}; lease {lease}"
    answered = [who for who, each in answers.items() if each.code is not None]
    assert not answered, f"port 53 answers {', '.join(answered)}: {said}"
    open_ = [str(each) for each in sockets if each.port == DNS_PORT]
    assert not open_, f"the network's dnsmasq listens on {', '.join(open_)}"
    assert not lease.dns, f"the lease names DNS server {lease.dns}"
    silent = [who for who, each in answers.items() if not each.failure.startswith(REFUSED)]
    if silent:
        raise Inconclusive(f"port 53 neither answers nor refuses {', '.join(silent)}: {said}")
