# SPDX-License-Identifier: GPL-2.0-or-later
"""A small run with every verdict, a topology that was drawn, measurements and evidence on disk."""

from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path

from reports.record import (
    Accelerator,
    Built,
    BuiltLink,
    BuiltNode,
    Check,
    EvidenceFile,
    FaultResult,
    HostRecord,
    Measurement,
    Reach,
    RunRecord,
    Statement,
    TopologyRecord,
    Verdict,
)
from tests import records
from tests.records import kept

C, V, U, N, E = (
    Verdict.CONFORMS,
    Verdict.VIOLATES,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_TESTABLE,
    Verdict.ERROR,
)
# What a guest under an attacker's control could have had printed into evidence.
HOSTILE = "</pre></details><script>window.taken = 1</script><img src=x onerror='window.taken = 2'>"
TRANSCRIPT = "[host]$ ip link\n1: lo: <LOOPBACK,UP>\n-> exit 0 after 0.01 s\n"


class Parsed(HTMLParser):
    """What a page consists of.

    Attributes:
        tags: every start tag with its attributes.
        text: all text outside of style and script.
        inlined: by tag the text of each style and script.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.inlined: dict[str, list[str]] = {"style": [], "script": []}
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a tag."""
        self.tags.append((tag, dict(attrs)))
        if tag in self.inlined:
            self._inside = tag
            self.inlined[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        """Leave a style or script."""
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        """Take note of text."""
        if self._inside:
            self.inlined[self._inside][-1] += data
        else:
            self.text += data

    def values(self, attribute: str) -> list[str]:
        """Return every value that an attribute has."""
        return [str(attrs[attribute]) for _, attrs in self.tags if attribute in attrs]


def check(
    name: str,
    verdict: Verdict,
    *claims: str,
    topology: str = "nat",
    reason: str | None = None,
    reach: Reach | None = None,
    evidence: tuple[EvidenceFile, ...] = (),
    measurements: tuple[Measurement, ...] = (),
) -> Check:
    """Return a check on a topology."""
    return records.check(
        f"{name}[{topology}]",
        verdict,
        claims=list(claims),
        topology=topology,
        reason=reason or f"{name} was looked at",
        reach=reach,
        measurements=list(measurements),
        evidence=list(evidence),
        rerun=f"./plumbline run -- 'suites/test_x.py::test_{name}[{topology}]'",
    )


def way(source: str, target: str, protocol: str, *, promised: bool = True) -> Reach:
    """Return a cell of who reaches whom."""
    return Reach.model_validate(
        {"from": source, "to": target, "protocol": protocol, "promised": promised}
    )


def reached(topology: str, **verdicts: Verdict) -> Iterator[Check]:
    """Give the checks of each way, all protocols alike: `guest_to_host=C`; `no_` before a no."""
    for name, verdict in verdicts.items():
        promised = not name.startswith("no_")
        source, _, target = name.removeprefix("no_").partition("_to_")
        for protocol in ("icmp", "tcp", "udp"):
            yield check(
                f"connectivity.{name}_{protocol}",
                verdict,
                "NT-12",
                topology=topology,
                reach=way(source, target, protocol, promised=promised),
            )


def graph(guests: int = 2, *, joined: bool = True) -> Built:
    """Return a NAT network with guests; not joined: their TAPs are no ports."""
    nodes = [
        ("host", "host", "host", None, []),
        ("host/virbr1", "bridge", "virbr1", "host", ["Linux bridge", "10.10.10.1/24"]),
        ("host/eth1", "uplink", "eth1", "host", ["192.168.1.2/24", "02:00:5e:00:53:01"]),
        ("lan", "lan", "lan", None, ["192.168.1.1/24"]),
        ("outside", "outside", "outside", None, ["192.168.1.10/24"]),
    ]
    links = [
        BuiltLink(ends=("host/virbr1", "host/eth1"), kind="routed", name="nat"),
        BuiltLink(ends=("outside", "lan"), kind="cable"),
        BuiltLink(ends=("lan", "host/eth1"), kind="cable"),
    ]
    for number in range(guests):
        guest, tap = f"guest/kvm{number + 1}", f"host/vnet{number}"
        lines = [f"10.10.10.{10 + number} by DHCP", "52:54:00:55:9b:d6", "virtio"]
        nodes.append((guest, "guest", f"kvm{number + 1}", None, lines))
        nodes.append((tap, "tap", f"vnet{number}", "host", ["fe:54:00:55:9b:d6"]))
        links.append(BuiltLink(ends=(guest, tap), kind="nic"))
        links += [BuiltLink(ends=(tap, "host/virbr1"), kind="port")] if joined else []
    return Built(
        nodes=[
            BuiltNode.model_validate(
                {"id": id_, "kind": kind, "name": name, "within": within, "lines": lines}
            )
            for id_, kind, name, within, lines in nodes
        ],
        links=links,
    )


def record(
    checks: list[Check],
    *,
    finished: bool = True,
    faults: tuple[FaultResult, ...] = (),
    built: Mapping[str, Built] | None = None,
    statements: Mapping[str, Statement] | None = None,
) -> RunRecord:
    """Return a record of checks, with a topology for each that they name."""
    names = dict.fromkeys(each.topology for each in checks)
    more = {} if finished else {"finished": None}
    return records.record(
        checks,
        host=HostRecord(
            kind="sandbox",
            release="Debian 12",
            accel=Accelerator(name="tcg", reason="no KVM"),
            facts={
                "kernel": "6.18",
                "cpu": {"model": "a model", "count": 2},
                "versions": {"libvirt": "9.0.0", "qemu": "7.2", "dnsmasq": "2.90", "nft": "1.0"},
                "topologies": {"nat": {"sysctls": {"net.ipv4.ip_forward": "1"}}},
            },
        ),
        topologies=[
            TopologyRecord(
                name=name,
                kind="nat",
                title="NAT forwarding network",
                verdict=C,
                build_s=3.2,
                teardown_s=0.4,
                built=(built or {}).get(name),
            )
            for name in names
        ],
        statements=dict(statements or {}),
        faults=list(faults),
        **more,
    )


def full(folder: Path) -> RunRecord:
    """Return a run with every verdict, and store its evidence."""
    commands = kept(folder, "evidence/a/commands.txt", TRANSCRIPT)
    capture = kept(folder, "evidence/a/x.pcap", b"\xa1\xb2\x00\x01" * 64, "application/vnd.pcap")
    taken = kept(folder, "evidence/b/console.txt", f"{HOSTILE}\x1b[31m\u202e\x00\n")
    rate = Measurement(name="tcp guest → host", unit="Mbit/s", samples=[2301, 2338, 2390])
    slower = Measurement(name="tcp guest → host", unit="Mbit/s", samples=[168, 170, 290.5])
    checks = [
        *reached("nat", guest_to_guest=C, guest_to_host=C, no_outside_to_guest=C),
        *reached("isolated", guest_to_host=V, no_outside_to_guest=V, no_guest_to_outside=U),
        check("throughput.guest_host", C, "GN-07", evidence=(commands,), measurements=(rate,)),
        check("throughput.guest_host", C, "GN-07", topology="ovs", measurements=(slower,)),
        check("dhcp.lease", V, "NT-05", "NT-06", reason=f"kvm1 says {HOSTILE}", evidence=(taken,)),
        check("nat.rules", E, "NT-08", topology="ovs", reason="libvirtd is gone"),
        check("vlan.tag", N, "NT-06", topology="ovs", reason="the host lacks vlan (probe: none)"),
        check("stp.none", C, topology="ovs", evidence=(commands, capture)),
    ]
    said = {
        "NT-12": Statement(statement="Host and guest reach each other", source="D3: NAT"),
        "NT-05": Statement(statement=f"It is leased {HOSTILE}", source=f"D4 {HOSTILE}"),
        "NT-06": Statement(statement="The whole range", source="D4: NAT"),
        "NT-08": Statement(statement="MASQUERADE", source="D4: NAT"),
        "GN-07": Statement(statement="A rate is measured", source="card"),
    }
    return record(checks, built={"nat": graph(), "isolated": graph()}, statements=said)


def fault(name: str, topology: str, *caught_by: str, **more: object) -> FaultResult:
    """Return a fault and what came of it."""
    commands = "ip link del virbr1 && echo '<b>'"
    known = {"caught_by": list(caught_by), "apply": commands}
    return records.fault(name, topology, **(known | more))
