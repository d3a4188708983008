# SPDX-License-Identifier: GPL-2.0-or-later
"""Redaction: what identifies a site is gone everywhere, and what a check was about can be seen."""

import json
import re
import struct
from pathlib import Path

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6ND_NS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, GRE, LLC, STP, Dot1Q, Dot3, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from contracts.verdicts import Verdict
from reports.evidence_integrity import require_evidence
from reports.record import (
    Built,
    BuiltLink,
    BuiltNode,
    HostRecord,
    Measurement,
    Reach,
    TopologyRecord,
    load,
    save,
)
from reports.redaction.address_replacement import Addresses
from reports.redaction.capture_redaction import NotACaptureError, redacted
from reports.redaction.redacted_copy import redact
from reports.redaction.redaction_report import RedactionReport
from reports.redaction.text_redaction import Texts
from tests.records import RUN_ID, kept
from tests.reported import check, record

SECRET = b"the-site's-own-secret"
MAC = "52:54:00:12:ab:cd"
CARD = "b8:ce:f6:12:34:56"


GUEST_TO_OUTSIDE = {"from": "guest", "to": "outside", "protocol": "udp", "promised": True}


def texts(*learnt: str, words: tuple[str, ...] = (), own_host: str = "vm") -> Texts:
    findings = RedactionReport()
    made = Texts(findings, Addresses(findings), words)
    made.learn(learnt, own_host)
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"link/ether {CARD} brd ff:ff:ff:ff:ff:ff", "link/ether b8:ce:f6:00:00:01 brd ff:ff:ff"),
        (CARD.upper(), "B8:CE:F6:00:00:01"),
        (CARD.replace(":", "-"), "b8-ce-f6-00-00-01"),
        (f"address:{CARD}", "address:b8:ce:f6:00:00:01"),
        ('"clientid": "01:52:54:00:12:ab:cd"', "01:52:54:00:00:00:01"),
        ("8000.525400-no 8000.52540012abcd", "8000.525400-no 8000.525400000001"),
        ("Device Serial Number b8-ce-f6-ff-fe-12-34-56", "b8-ce-f6-ff-fe-00-00-01"),
        ("8.8.8.8 and 8.8.8.9", "240.0.1.8 and 240.0.1.9"),
        ("from 2a00:1450:4001:81b::200e: icmp_seq=1", "from 2001:db8:0:1::200e: icmp_seq=1"),
        ("addr:2a00:1450::53/64", "addr:2001:db8:0:1::53/64"),
        ("fe80::5054:ff:fe12:abcd%eth0", "fe80::5054:ff:fe00:1%eth0"),
        ("fd12:3456:789a::5", "fd00:0:0:1::5"),
        ("<uuid>f900de5e-7866-4cba-a165-2331ce2d2ab8</uuid>", "00000000-0000-4000-8000-0000000000"),
        ("0123456789abcdef0123456789abcdef  machine-id", "00000000000000000000000000000001  m"),
        ("Serial Number: 5CG1234XYZ", "Serial Number: serial-1"),
        ("<entry name='serial'>5CG1234XYZ</entry>", "<entry name='serial'>serial-1</entry>"),
        ("[SN] Serial number: MT2108X01234", "[SN] Serial number: serial-1"),
        ('"serial": "MT2108X01234"', '"serial": "serial-1"'),
        ("/home/alice/harden.sh", "/home/user-1/harden.sh"),
        ("SUDO_USER=alice", "SUDO_USER=user-1"),
        ("alice@corp.de wrote", "person-1@mail.example wrote"),
        ("ssh-ed25519 AAAAC3Nza/1+2= alice@node7", "ssh-ed25519 key-1"),
        ("https://git.corp.de/x", "https://host-1.example/x"),
        ("IP 93.184.216.34.443 > 10.0.0.2.80: Flags", "IP 240.0.1.34.443 > 10.0.0.2.80: Flags"),
        (r'"a\n93.184.216.34\nb8:ce:f6:12:34:56\tx"', r'"a\n240.0.1.34\nb8:ce:f6:00:00:01\tx"'),
        (r'"\u001B93.184.216.34"', r'"\u001b240.0.1.34"'),
        ("[::ffff:93.184.216.34]:22", "[::ffff:240.0.1.34]:22"),
        ("::ffff:5db8:d822/128", "::ffff:240.0.1.34/128"),
        (f"{'1.0.' * 12}0.0.8.b.d.0.1.0.2.ip6.arpa.", "host-1.example."),
        ("ID_SERIAL=5CG1234XYZ", "ID_SERIAL=serial-1"),
        ("ID_SERIAL_SHORT=5CG1234XYZ", "ID_SERIAL_SHORT=serial-1"),
        ("product_serial: 5CG1234XYZ", "product_serial: serial-1"),
        ("  board.serial_number MT2107X01234", "  board.serial_number serial-1"),
        ("alice@web1:~$ ls", "user-1@host-1:~$ ls"),
        ("qemu+ssh://alice@web1/system", "qemu+ssh://user-1@host-1/system"),
        ("Accepted publickey for alice from 10.0.0.2", "Accepted publickey for user-1 from 10.0"),
        ("Failed password for invalid user alice from", "password for invalid user user-1 from"),
        ("search dc1.corp.internal", "search host-1.example"),
    ],
)
def test_what_identifies_a_site_is_replaced(text: str, expected: str) -> None:
    assert expected in texts(text).redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "inet 192.168.1.10/24 brd 192.168.1.255 scope global",
        "10.10.10.1 172.16.0.1 198.51.100.17 198.18.0.1 127.0.0.1 0.0.0.0 224.0.0.251",
        "-A POSTROUTING -s 192.168.66.0/24 ! -d 255.255.255.255/32 -j MASQUERADE",
        "01:80:c2:00:00:00 33:33:00:00:00:fb ff:ff:ff:ff:ff:ff 00:00:00:00:00:00",
        "ff02::1 ff02::fb ::1 :: 2001:db8::1",
        "Generated on Sun Nov 22 01:00:17 2026, at 01:00:17.123 for 2.04 s",
        "suites/test_nat.py::test_reach[nat-guest-to-host-icmp]",
        "libvirt 9.0.0, QEMU 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3), 6.18.44-fc-v669",
        "http://libvirt.org/schemas/domain/qemu/1.0 node1.example.com www.kernel.org",
        "net.ipv4.conf.all.arp_ignore interface.xml rc.local commands.txt org.qemu.guest_agent.0",
        "<serial type='file'>\n  <alias name='serial0'/>\n</serial>\n<console type='file'>",
        "vnet0@if5: <BROADCAST> netdev@ovs-netdev --id=@queue",
        "7: uplink.7@uplink: <UP>\nmacvtap0@eth0   UP   52:54 Started getty@tty1.service - Getty",
        "root@localhost, cpu@0, ip6.arpa 8.e.f.ip6.arpa 1.3.6.1.4.1.311 a serial number of it",
        r'"\\n \"x\" \u0000\u00fc \/ \n\t"',
        f"sha256 {'8a04' * 16} commit {'c0ff' * 10}",
        "/root/runs/plumbline /home USER=root",
    ],
)
def test_what_any_host_has_stays(text: str) -> None:
    assert texts(text).redact(text) == text


def test_a_host_is_known_again_by_its_name_alone() -> None:
    log = "Nov 22 01:00:17 node7 dnsmasq[412]: started\nLinux node8 6.1.0-18-amd64 #1 SMP\n"
    made = texts(log, "node7's own\nnode77 node8.corp.de", own_host="builder")
    assert made.redact(log) == (
        "Nov 22 01:00:17 host-1 dnsmasq[412]: started\nLinux host-2 6.1.0-18-amd64 #1 SMP\n"
    )
    assert made.redact("on node7, not node77: node8.corp.de, builder") == (
        "on host-1, not node77: host-2.example, host-3"
    )


def test_the_harness_s_own_machines_keep_their_names() -> None:
    text = '[kvm1]$ udhcpc -x hostname:kvm1\nhostname=kvm1\n"hostname": "printer"\n'
    assert texts(text).redact(text) == text.replace("printer", "host-1")


def test_words_of_the_user_s_own_are_replaced_wherever_they_stand() -> None:
    made = texts(words=("Acme", "acme-fra1", "CORP\\nina"))
    assert made.redact("ACME-FRA1/acme_bridge") == "site-1/site-2_bridge"
    assert made.redact("by CORP\\nina") == "by site-3"


def test_one_thing_has_one_replacement_in_every_form() -> None:
    """A TAP still has its guest's MAC but for the first octet, and so has a link-local address."""
    forms = (
        f"guest {MAC}, tap fe:54:00:12:ab:cd, 8000.fe540012abcd, fe80::5054:ff:fe12:abcd, "
        "ff02::1:ff12:abcd, 33:33:ff:12:ab:cd, 0000fe540012abcd"
    )
    made = texts(forms)
    other = made.redact(f"other {CARD}")
    assert "b8:ce:f6:00:00:01" in other
    assert made.redact(forms) == (
        "guest 52:54:00:00:00:02, tap fe:54:00:00:00:02, 8000.fe5400000002, fe80::5054:ff:fe00:2, "
        "ff02::1:ff00:2, 33:33:ff:00:00:02, 0000fe5400000002"
    )


def test_made_up_macs_are_replaced_whole() -> None:
    assert texts().redact("42:34:3d:19:8f:45") == "42:00:01:00:00:01"


def test_a_frame_in_hexadecimal_ends_behind_its_header() -> None:
    frame = f"ffffffffffff{MAC.replace(':', '')}0800{SECRET.hex()}"
    made = texts(MAC)
    assert made.redact(f'"{frame}"') == '"ffffffffffff5254000000010800"'
    assert made.redact(f'"{SECRET.hex()}"') == f'"{SECRET.hex()}"'


def capture_of(*packets: Packet, order: str = "<", link_type: int = 1) -> bytes:
    parts = [struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type)]
    for packet in packets:
        octets = bytes(packet)
        parts += [struct.pack(f"{order}IIII", 1, 2, len(octets), len(octets) + 4), octets]
    return b"".join(parts)


def frames_of(capture: bytes, order: str = "<") -> list[bytes]:
    frames, at = [], 24
    while at < len(capture):
        _, _, length, _ = struct.unpack(f"{order}IIII", capture[at : at + 16])
        frames.append(capture[at + 16 : at + 16 + length])
        at += 16 + length
    return frames


def cleaned(packet: Packet) -> Packet:
    [frame] = frames_of(redacted(capture_of(packet), Addresses(RedactionReport())))
    return Ether(frame)


ETHER = Ether(src=CARD, dst=MAC)
DISCOVER = [
    ("message-type", "discover"),
    ("hostname", SECRET),
    ("requested_addr", "8.8.8.8"),
    "end",
]
PACKETS = {
    "udp": ETHER / IP(src="8.8.8.8", dst="10.0.0.2") / UDP() / Raw(SECRET),
    "tcp": ETHER / IP() / TCP(dport=80) / Raw(SECRET),
    "echo": ETHER / IP() / ICMP() / Raw(SECRET),
    "quoted": ETHER / IP() / ICMP(type=3, code=1) / IP(src="8.8.8.8") / UDP() / Raw(SECRET * 9),
    "redirect": ETHER / IP() / ICMP(type=5, gw="8.8.8.8") / IP() / UDP() / Raw(SECRET),
    "echo6": ETHER / IPv6(src="2a00:1450::1") / ICMPv6EchoRequest(data=SECRET),
    "neighbour": ETHER
    / IPv6()
    / ICMPv6ND_NS(tgt="2a00:1450::2")
    / ICMPv6NDOptSrcLLAddr(lladdr=CARD),
    "dns": ETHER / IP() / UDP(dport=53) / DNS(qd=DNSQR(qname=b"node7." + SECRET)),
    "dhcp": ETHER
    / IP()
    / UDP(sport=68, dport=67)
    / BOOTP(chaddr=bytes.fromhex(CARD.replace(":", "")), sname=SECRET, file=SECRET)
    / DHCP(options=DISCOVER),
    "dhcp of wrong lengths": ETHER
    / IP()
    / UDP(sport=68, dport=67)
    / BOOTP(options=b"c\x82Sc" + bytes([53, len(SECRET)]) + SECRET + b"\xff"),
    "tcp options": ETHER / IP() / TCP(options=[(254, SECRET), ("MSS", 1460)]),
    "ip of another version": ETHER / IP(version=13, proto=17) / Raw(SECRET),
    "bootp": ETHER / IP() / UDP(sport=68, dport=67) / BOOTP(options=SECRET),
    "arp": ETHER / ARP(hwsrc=CARD, psrc="8.8.8.8") / Raw(SECRET),
    "arp of another kind": ETHER / ARP(hwlen=21, hwsrc=SECRET, plen=4),
    "options": ETHER / IP(options=[IPOption_RR(routers=["8.8.8.8"])]) / UDP(),
    "vlan": ETHER / Dot1Q(vlan=7) / IP() / UDP() / Raw(SECRET),
    "stp": Dot3(src=CARD, dst="01:80:c2:00:00:00") / LLC() / STP(rootmac=CARD, bridgemac=CARD),
    "vxlan": ETHER / IP() / UDP(dport=4789) / VXLAN() / ETHER / IP(src="8.8.8.8") / TCP(),
    "gre": ETHER / IP() / GRE(proto=0x6558) / ETHER / IP(src="8.8.8.8") / UDP() / Raw(SECRET),
    "lldp": Ether(src=CARD, dst="01:80:c2:00:00:0e", type=0x88CC) / Raw(SECRET),
    "unknown": Ether(src=CARD, dst=MAC, type=0x9999) / Raw(SECRET),
    "short": Raw(bytes.fromhex(CARD.replace(":", ""))),
}


@pytest.mark.parametrize("packet", PACKETS.values(), ids=PACKETS)
def test_no_frame_keeps_an_address_or_what_it_carried(packet: Packet) -> None:
    octets = redacted(capture_of(packet), Addresses(RedactionReport()))
    for mac in (MAC, CARD):
        assert bytes.fromhex(mac.replace(":", ""))[3:] not in octets
    assert bytes([8, 8, 8, 8]) not in octets
    assert bytes.fromhex("2a001450") not in octets
    # No part of it either: four octets in a row are no accident.
    pieces = {SECRET[at : at + 4] for at in range(len(SECRET) - 3)}
    assert not [piece for piece in pieces if piece in octets]


def test_headers_of_a_redacted_frame_are_right() -> None:
    packet = cleaned(PACKETS["udp"])
    assert (packet.src, packet.dst) == ("b8:ce:f6:00:00:02", "52:54:00:00:00:01")
    assert (packet[IP].src, packet[IP].dst) == ("240.0.1.8", "10.0.0.2")
    sent = packet[IP].chksum
    del packet[IP].chksum
    assert Ether(bytes(packet))[IP].chksum == sent
    inner = cleaned(PACKETS["vxlan"])[VXLAN].payload
    assert (inner.src, inner[IP].src, inner[TCP].dport) == ("b8:ce:f6:00:00:02", "240.0.1.8", 80)
    assert cleaned(PACKETS["stp"])[STP].rootmac == "b8:ce:f6:00:00:01"
    assert cleaned(PACKETS["vlan"])[Dot1Q].vlan == 7


def test_a_redacted_dhcp_message_still_says_what_it_was() -> None:
    packet = cleaned(PACKETS["dhcp"])
    options = dict(option for option in packet[DHCP].options if isinstance(option, tuple))
    assert options == {"message-type": 1, "requested_addr": "240.0.1.8"}
    assert packet[UDP].len == len(bytes(packet[UDP]))
    assert packet[BOOTP].chaddr[:6] == bytes.fromhex("b8cef6000002")


def test_time_and_length_of_frames_stay() -> None:
    before = capture_of(*PACKETS.values(), order=">")
    after = redacted(before, Addresses(RedactionReport()))
    assert after[:24] == before[:24]
    assert len(frames_of(after, ">")) == len(PACKETS)
    assert struct.unpack(">IIII", after[24:40])[::3] == (1, len(bytes(PACKETS["udp"])) + 4)


@pytest.mark.parametrize(
    "content",
    [b"", b"no capture", capture_of(link_type=113), capture_of(PACKETS["udp"])[:-1]],
    ids=["empty", "another file", "not Ethernet", "cut off"],
)
def test_what_is_no_capture_is_not_passed_on(content: bytes) -> None:
    with pytest.raises(NotACaptureError):
        redacted(content, Addresses(RedactionReport()))


def test_a_run_is_redacted_whole_and_says_so(tmp_path: Path) -> None:
    folder, copy = tmp_path / "run", tmp_path / "copy"
    copy.mkdir()
    pcap = "application/vnd.tcpdump.pcap"
    folder_of_check = f"evidence/nat.{MAC.replace(':', '_')}_nat"
    evidence = [
        kept(folder, f"{folder_of_check}/commands.txt", f"[kvm1]$ {MAC} 8.8.8.8\n".encode()),
        kept(
            folder, f"{folder_of_check}/x.json", b'{"mac": "%s"}' % MAC.encode(), "application/json"
        ),
        kept(folder, f"{folder_of_check}/x.pcap", capture_of(PACKETS["udp"]), pcap),
        kept(folder, f"{folder_of_check}/broken.pcap", b"xxxx" + SECRET, pcap),
        kept(folder, f"{folder_of_check}/core.bin", SECRET, "application/octet-stream"),
        kept(folder, f"{folder_of_check}/latin.txt", b"\xff" + SECRET),
        kept(folder, "evidence/acme/rules.txt", b"acme\n"),
    ]
    reason = f"{MAC} is seen by 8.8.8.8 on acme-br0"
    run = record([check(Verdict.VIOLATES, "acme", evidence=evidence, reason=reason)])
    save(run, folder / "run.json")
    redacted_run, findings = redact(run, folder, copy, ["acme"])
    assert redacted_run == load(copy / "run.json")
    assert redacted_run.redacted
    assert (redacted_run.id, redacted_run.started) == (RUN_ID, run.started)
    assert require_evidence(redacted_run, copy) == []
    [decided] = redacted_run.checks
    assert decided.reason == "52:54:00:00:00:01 is seen by 240.0.1.8 on site-1-br0"
    assert decided.id == "nat.site-1[nat]"
    everything = b"".join(file.read_bytes() for file in copy.rglob("*") if file.is_file())
    everything += "".join(str(file) for file in copy.rglob("*")).encode()
    for gone in (SECRET, b"acme", b"8.8.8.8", MAC.encode()):
        assert gone not in everything
    assert "[kvm1]$ 52:54:00:00:00:01 240.0.1.8" in everything.decode("latin-1")
    assert sorted(Path(path).name for path in findings.left_out) == [
        *("broken.pcap", "core.bin", "latin.txt")
    ]
    said = "\n".join(findings.lines())
    assert re.search(r"MAC addresses: \d+ different, in \d+ places", said)
    assert "cut: 1 capture" in said
    assert "core.bin: application/octet-stream cannot be redacted" in said


@pytest.mark.parametrize("words", [[], ["lab", "nat", "guest", "conforms", "more", "icmp"]])
def test_a_word_of_the_record_s_own_choices_is_no_name(words: list[str], tmp_path: Path) -> None:
    """A console shows machines that are called as parts of a network are."""
    copy = tmp_path / "copy"
    copy.mkdir()
    console = "".join(f"{name} login:\n" for name in ("bridge", "nic", "lab", "udp", "Mbit"))
    built = Built(
        nodes=[
            BuiltNode(id="br0", kind="bridge", name="br0 on node7", within="h"),
            BuiltNode(id="h", kind="host", name="node7"),
        ],
        links=[BuiltLink(ends=("br0", "h"), kind="nic")],
    )
    made = check(
        Verdict.CONFORMS,
        evidence=[kept(tmp_path, "evidence/console.txt", f"{console}node7 login:\n".encode())],
        reach=Reach.model_validate(GUEST_TO_OUTSIDE),
        measurements=[Measurement(name="rate", unit="Mbit", samples=[1.0], better="more")],
    )
    run = record(
        [made],
        host=HostRecord(kind="lab", facts={"node7": 1, "NODE7": 2}),
        topologies=[TopologyRecord(name="nat", verdict=Verdict.CONFORMS, built=built)],
    )
    new, _ = redact(run, tmp_path, copy, words)
    assert new == load(copy / "run.json")
    assert new.host.kind == "lab"
    assert sorted(value for value in new.host.facts.values() if value in (1, 2)) == [1, 2]
    [topology], [decided] = new.topologies, new.checks
    assert topology.built is not None
    assert [node.kind for node in topology.built.nodes] == ["bridge", "host"]
    assert topology.built.links[0].ends == tuple(node.id for node in topology.built.nodes)
    assert "node7" not in (copy / "run.json").read_text().lower()
    assert (decided.reach, decided.verdict) == (made.reach, Verdict.CONFORMS)
    assert decided.measurements[0].unit == "Mbit"
    assert decided.measurements[0].better == "more"


def test_files_whose_names_become_the_same_stay_two(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    files = [
        kept(tmp_path, f"evidence/node7.{domain}.corp/x.txt", domain.encode())
        for domain in ("one", "two")
    ]
    new, _ = redact(record([check(Verdict.CONFORMS, evidence=files)]), tmp_path, copy, [])
    assert require_evidence(new, copy) == []
    [one, two] = new.checks[0].evidence
    assert [(copy / file.path).read_text() for file in (one, two)] == ["one", "two"]


@pytest.mark.parametrize("own_host", ["vm", "localhost", "guest", "debian"])
def test_the_name_of_the_machine_that_redacts_may_be_everybody_s(own_host: str) -> None:
    text = "guest debian on localhost, vm 1"
    assert texts(text, own_host=own_host).redact(text) == text


def test_a_host_that_json_names_behind_a_line_s_end_is_known_again(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    told = json.dumps({"out": "up\nnode7 login:\nnode7 is up"}).encode()
    file = kept(tmp_path, "evidence/x.json", told, "application/json")
    new, _ = redact(record([check(Verdict.CONFORMS, evidence=[file])]), tmp_path, copy, [])
    said = json.loads((copy / new.checks[0].evidence[0].path).read_text())
    assert said == {"out": "up\nhost-1 login:\nhost-1 is up"}


def test_json_stays_json_and_redacting_twice_changes_nothing_more() -> None:
    data = {MAC: ["8.8.8.8", {"serial": "5CG1234XYZ", "path": "/home/alice/x"}], "n": 1.5}
    text = json.dumps(data)
    once = texts(text).redact(text)
    assert json.loads(once)["n"] == 1.5
    assert texts(once).redact(once) == once
