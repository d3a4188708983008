# SPDX-License-Identifier: GPL-2.0-or-later
"""Names in texts that may identify a site: how they are distinguished from other words."""

import re
from collections.abc import Iterable, Iterator

# The harness's machines, and names that any host may have.
_PUBLIC_HOSTS = {
    *("localhost", "localhost.localdomain", "host", "outside", "lan", "guest", "none", "null"),
    *("true", "false", "debian", "fedora", "ubuntu", "centos", "linux", "plumbline", "kernel"),
}
_SHORTEST = 3
# "[kvm1]$ ip route show default": how evidence shows on which of its machines a command ran.
_OWN_MACHINE = re.compile(r"^\[([\w.-]+)\]\$ ", re.MULTILINE)
# "alice@node7:~$", "ssh alice@node7"; but of `ip` "7: vnet0@if2: <…", "eth0.7@eth0  UP", of systemd
# "getty@tty1.service", of Open vSwitch "netdev@ovs-netdev"
LOGIN = re.compile(
    r"(?<![\w.@+-])([A-Za-z_][\w-]*)@(?!if\d|ovs-)([A-Za-z][\w-]*)"
    r"(?![\w@-]|\.\w|: <|\s+(?:UP|DOWN|UNKNOWN|LOWERLAYERDOWN)\b)"
)
_HOST_NAMES = (
    # uname -a: "Linux node7 6.1.0-18-amd64 #1 SMP …"
    re.compile(r"^Linux ([\w.-]+) \d+\.\d+", re.MULTILINE),
    # a log: "Nov 22 01:00:17 node7 dnsmasq[412]: …", "2026-11-22T01:00:17+01:00 node7 sshd[1]: …"
    re.compile(
        r"^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) ([\w.-]+) "
        r"[\w./()-]+\[\d+\]:",
        re.MULTILINE,
    ),
    # a console: "node7 login:"
    re.compile(r"^([\w.-]+) login:", re.MULTILINE),
    # "Static hostname: node7", "hostname=node7", '"hostname": "node7"', "send host-name "node7""
    re.compile(r"\bhost-?name[\"']?\s*[:= ]\s*[\"']?([A-Za-z0-9][\w.-]*)", re.IGNORECASE),
    # lldp: "SysName: switch3.example.com"
    re.compile(r"\bsysname:\s*([\w.-]+)", re.IGNORECASE),
    re.compile(LOGIN.pattern.replace("([A-Za-z_]", "(?:[A-Za-z_]", 1)),
)
# Endings of host names that are not endings of file names.
_TLD = (
    "com|org|net|edu|gov|mil|info|biz|io|cloud|eu|arpa|local|lan|internal|intra|intranet|corp|"
    "localdomain|de|at|ch|li|uk|ie|fr|nl|be|lu|it|es|pt|se|no|fi|dk|cz|sk|hu|ro|bg|gr|hr|si|ee|lt|"
    "lv|us|ca|mx|br|ar|cl|au|nz|jp|kr|cn|tw|hk|sg|ru|ua|tr|il|za"
)
DOMAIN_NAME = re.compile(rf"(?<![\w.@-])(?:[a-z0-9][\w-]*\.)+(?:{_TLD})(?![\w-]|\.\w)", re.I)
MAIL = re.compile(rf"[\w.+-]+@(?:[\w-]+\.)+(?:{_TLD})\b", re.IGNORECASE)
# Of tools and documents, which name them wherever they run (RFC 2606 for the first ones).
_PUBLIC = re.compile(
    r"(?:^|\.)(?:example\.(?:com|org|net)|(?:libvirt|qemu|openvswitch|kernel|debian|w3|netfilter|"
    r"isc|gnu|freedesktop|relaxng|nftables|iproute2|es|thekelleys)\.(?:com|org|net|org\.uk)|"
    r"rc\.local|in-addr\.arpa)$"
    # A prefix of 16 bits at most identifies no network; an address is written nibble by nibble.
    r"|^(?:[0-9a-f]\.){0,4}ip6\.arpa$",
    re.IGNORECASE,
)


def own_machines(texts: Iterable[str]) -> set[str]:
    """Return the names of the harness's own machines, guests above all."""
    return {name for text in texts for name in _OWN_MACHINE.findall(text)}


def host_names(text: str) -> Iterator[str]:
    """Yield what a text shows to be the name of a machine."""
    for pattern in _HOST_NAMES:
        for name in pattern.findall(text):
            if is_telling(name):
                yield name


def is_telling(name: str) -> bool:
    """Whether a host's name may identify a site."""
    plain = name.strip(".").lower()
    if len(plain) < _SHORTEST or plain in _PUBLIC_HOSTS or is_public(plain):
        return False
    return re.search("[a-z]", plain) is not None


def is_public(name: str) -> bool:
    """Whether a domain name is public."""
    return _PUBLIC.search(name) is not None
