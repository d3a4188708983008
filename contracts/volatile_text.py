# SPDX-License-Identifier: GPL-2.0-or-later
"""What moves by itself in the output of tools, so that the rest can be compared.

A MAC address or UUID is numbered in the order of its appearance: which of them stand where is
kept. Of what only counts or ticks, the number goes. Nothing of what was configured may: a range
of ports, a prefix, a version.
"""

import re
from collections.abc import Callable

# In each pattern, what is matched is what goes; above it an example.
# 4a45b722-5dd2-45a9-9487-cfd453952284
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
# counter packets 8 bytes 2624 (nft)
RULE_COUNTER = re.compile(r"\bpackets \d+ bytes \d+")
# [12:2800] (iptables-save -c)
CHAIN_COUNTER = re.compile(r"\[\d+:\d+\](?= |$)", re.MULTILINE)
# n_packets=3, n_bytes=210, idle_age=4, duration=3.2s (ovs-ofctl)
FLOW_STATISTIC = re.compile(r"\b(n_packets|n_bytes|idle_age|hard_age|duration|xid)=[\w.]+")

_NUMBERED = (
    (UUID, "UUID"),
    # 52:54:00:55:9b:d6, and with the leading zeros left out in a bridge's id: 52:54:0:65:84:ac
    (re.compile(r"\b[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}\b", re.IGNORECASE), "MAC"),
    # fe80::fc54:ff:fe55:9bd6, which is made from a MAC address
    (re.compile(r"\bfe80::[0-9a-f:]+", re.IGNORECASE), "link-local"),
)
# Not of a host: broadcast, groups of bridges and of IP.
_WELL_KNOWN = re.compile(r"^(?:ff:ff:ff:ff:ff:ff|:::::|1:.*|33:33:.*)$")
_REPLACED = (
    # -> exit 0 after 0.03 s
    (re.compile(r"(?<=after )\d+(?:\.\d+)? s\b"), "TIME"),
    # Sun, 22 Nov 2026 00:59:14 GMT
    (re.compile(r"\b\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d GMT"), "MOMENT"),
    # Sun Nov 22 02:48:57 2026 (iptables-save)
    (re.compile(r"\b\w{3} \w{3} +\d{1,2} \d\d:\d\d:\d\d \d{4}\b"), "MOMENT"),
    # 2026-03-01T12:00:00Z, 2026-03-01 12:00:00.123+01:00
    (
        re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d|\b)"),
        "MOMENT",
    ),
    # seconds since 1970, of a lease or a report: 1795309154
    (re.compile(r"(?<![\w.:-])1[6-9]\d{8}(?:\.\d+)?(?![\w:-])"), "MOMENT"),
    (RULE_COUNTER, "packets N bytes N"),
    (CHAIN_COUNTER, "[N:N]"),
    (FLOW_STATISTIC, r"\1=N"),
    # hello_timer    0.70, gc_timer  272.22, topology_change 1 (ip -details link)
    (re.compile(r"\b(\w+_timer) +[\d.]+"), r"\1 N"),
    (re.compile(r"\b(topology_change(?:_detected|_ack)?) \d\b"), r"\1 N"),
    # used 3/2 (bridge -statistics fdb), expires 59sec
    (re.compile(r"\bused \d+/\d+"), "used N/N"),
    (re.compile(r"\bexpires \d+sec"), "expires N"),
    # pid 102, pid=102, process 102, pid-file's number; users:(("dnsmasq",pid=102,fd=5))
    (re.compile(r"\b(pid[= ]|process )\d+"), r"\1N"),
    (re.compile(r"\bfd=\d+"), "fd=N"),
    # "local_port": 57534, 10.10.10.128.57534 > (tcpdump)
    (re.compile(r'(?<="local_port":)\s*\d+'), " N"),
    # "source":"10.10.10.128:46501" (the guest's own probe); one below 1024 was asked for
    (re.compile(r'(?<="source":")([\d.]+):\d{4,5}(?=")'), r"\1:N"),
    # {"table": {"family": "ip", "name": "nat", "handle": 7}} (nft -j)
    (re.compile(r'(?<="handle": )\d+'), "N"),
    # time=0.276 ms; rtt min/avg/max/mdev = 0.2/0.3/0.4/0.1 ms; , time 3004ms
    (re.compile(r"\btime[= ]\d+(?:\.\d+)? ?ms"), "time TIME"),
    (re.compile(r"(?<=mdev = )[\d./]+"), "TIMES"),
    # "rtt_us":640413 (the guest's own probe)
    (re.compile(r'(?<="rtt_us":)\s*\d+'), " N"),
    # <domain type='qemu' id='1'>
    (re.compile(r"(?<=<domain type=')(\w+)' id='\d+'"), r"\1' id='N'"),
    # portid of a switch's port, cookie of a socket: sk:1a, ino:12345
    (re.compile(r"\b(ino|sk|inode)[:=][0-9a-f]+"), r"\1:N"),
    # guest-image/5deb3f7c43d96ca4/kernel, what is named by its content
    (re.compile(r"(?<=/)[0-9a-f]{12,64}(?=/)"), "HASH"),
    # tmpab12cd_4 and tmp.Ab12Cd34Ef, as Python and mktemp call what is temporary
    (re.compile(r"\btmp(?:[a-z0-9_]{8}|\.\w{10})\b"), "tmpNAME"),
)


def normalised(text: str) -> str:
    """Return a text of evidence without what always differs."""
    for pattern, name in _NUMBERED:
        text = pattern.sub(_numbering(name), text)
    for pattern, instead in _REPLACED:
        text = pattern.sub(instead, text)
    return text


def _numbering(name: str) -> Callable[[re.Match[str]], str]:
    known: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        word = found[0].lower()
        if name == "MAC":
            word = ":".join(octet.lstrip("0") for octet in word.split(":"))
        if name == "MAC" and _WELL_KNOWN.match(word):
            return found[0]
        return known.setdefault(word, f"{name}-{len(known) + 1}")

    return number
