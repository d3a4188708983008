# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine reached by SSH: probes from and to it, clear refusals, and nothing left there."""

import subprocess
from collections.abc import Iterator

import pytest

from fixtures.host.outside.ssh_address import SshAddress, read_address
from fixtures.waiting import until
from launcher.staged.staged_host import StagedHost
from launcher.staged.staging import VARIABLES, staged
from tests.host_with_ssh import DEADLINE_S, FOLDERS, SERVER, WITH_SSH, left, must
from tests.launched import ROOT
from topologies.data_error import DataError

PREAMBLE = """\
import os, sys
from pathlib import Path
from fixtures.guest import image
from fixtures.host.local import LocalHost
from fixtures.host.outside.remote_machine import remote_machine
from fixtures.host.outside.ssh_address import read_address
from fixtures.probe.reach import End, send
image_ = image.cached()
assert image_ is not None
program = image_.tool
"""
PROBES = """
host = LocalHost()
with remote_machine("outside", read_address("ssh:root@10.77.0.1"), program) as outside:
    near = End(host, "10.77.0.2", str(program))
    far = End(outside, "10.77.0.1", outside.tool)
    with host.background([str(program), "serve"]), outside.background([outside.tool, "serve"]):
        for one, other in ((near, far), (far, near)):
            for proto in ("icmp", "tcp", "udp"):
                print(one.name, other.name, proto, send(proto, one, other).all_answered)
    print("without its server", send("tcp", near, far).none_answered)
"""
# On the link of the connection itself, whose frames would each make another one.
CAPTURES = """
from contracts.address_family import IPV4
from fixtures.host.links import add_address, link_mac, set_up
from fixtures.probe.capture import capture
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.l2 import Dot1Q
host = LocalHost()
with remote_machine("outside", read_address("ssh:root@10.77.0.1"), program) as outside:
    near, far = End(host, "10.77.0.2", str(program)), End(outside, "10.77.0.1", outside.tool)
    with capture(outside, "lan0") as there, capture(host, "eth0") as here:
        send("icmp", near, far)
        macs = link_mac(outside, "lan0") + link_mac(host, "eth0")
        tagged = macs.replace(":", "") + "8100002a" + "9999" + 46 * "77"
        host.run([str(program), "frame", "eth0", tagged])
        pings = [each.frames(lambda p: ICMP in p) for each in (there, here)]
        asked = [p for p in pings[0] if p.packet[IP].dst == "10.77.0.1"]
        print("the same", sorted(f.raw for f in pings[0]) == sorted(f.raw for f in pings[1]))
        print("sent there", {f.outgoing for f in asked}, {f.outgoing for f in pings[0]})
        [one] = there.frames(lambda p: Dot1Q in p and p[Dot1Q].vlan == 42)
        print("tagged", one.raw.hex() == tagged)
        late = [abs(one.time - other.time) for one, other in zip(*pings)]
        print("clock", max(late) < 1)
        own = there.frames(lambda p: TCP in p and 22 in (p.sport, p.dport))
        print("its own connection", len(own))
        there.require_whole()
    print(outside.link_addresses("lan0", IPV4), outside.has_link("eth9"))
    for change, *words in ((add_address, "lan0", "10.77.0.9/24"), (set_up, "lan0")):
        try:
            change(outside, *words)
        except Exception as error:
            print(type(error).__name__, error)
    try:
        outside.frames("eth9")
    except Exception as error:
        print(str(error).splitlines())
"""
STAYS = """
with remote_machine("outside", read_address("ssh:root@10.77.0.1"), program) as outside:
    with outside.background([outside.tool, "serve"]):
        print(os.getpid(), flush=True)
        input()
"""
FAILS = """
from fixtures.errors import HarnessError
try:
    with remote_machine("outside", read_address(sys.argv[1]), Path(sys.argv[2] or program)):
        print("let in")
except HarnessError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def host() -> Iterator[StagedHost]:
    with staged("bookworm", WITH_SSH, []) as made:
        must(made, SERVER)
        yield made


def python(host: StagedHost, script: str, *words: str) -> list[str]:
    return host.argv(
        ["python3", "-c", PREAMBLE + script, *words], {**VARIABLES, "PYTHONPATH": str(ROOT)}
    )


def said(host: StagedHost, script: str, *words: str) -> str:
    argv = python(host, script, *words)
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.staged
def test_probes_go_both_ways_and_nothing_is_left(host: StagedHost) -> None:
    lines = said(host, PROBES).splitlines()
    assert lines == [
        *(f"{one} True" for one in ("host outside icmp", "host outside tcp", "host outside udp")),
        *(f"{one} True" for one in ("outside host icmp", "outside host tcp", "outside host udp")),
        "without its server True",
    ]
    assert left(host) == ""


@pytest.mark.staged
def test_captures_there_are_as_those_here(host: StagedHost) -> None:
    refused = (
        "SitesMachine the check changes links, addresses, routes or neighbours of the outside: "
        "ssh:root@10.77.0.1 is a machine of the site's, where nothing is configured"
    )
    assert said(host, CAPTURES).splitlines() == [
        "the same True",
        "sent there {False} {False, True}",
        "tagged True",
        "clock True",
        "its own connection 0",
        "['10.77.0.1/24'] False",
        refused,
        refused,
        "['no frame of eth9 of outside can be taken', 'plumbline: eth9: No such device']",
    ]
    assert left(host) == ""


@pytest.mark.staged
def test_nothing_is_left_after_sigkill(host: StagedHost) -> None:
    argv = python(host, STAYS)
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) as run:
        assert run.stdout is not None
        process = int(run.stdout.readline())
        there = left(host)
        assert FOLDERS in there
        assert "plumbline-probe serve" in there
        must(host, f"kill -KILL {process}")
        run.wait(DEADLINE_S)
    until(lambda: left(host) == "", "the other machine is as it was", deadline_s=30)


@pytest.mark.staged
@pytest.mark.parametrize(
    ("make", "undo", "address", "why"),
    [
        ("", "", "ssh:root@10.77.0.9", "no SSH server answers at 10.77.0.9 port 22"),
        ("", "", "ssh:root@10.77.0.1:23", "no SSH server answers at 10.77.0.1 port 23"),
        ("", "", "ssh:root@no-such.invalid", "no SSH server answers at no-such.invalid"),
        (
            "mv /root/.ssh/known_hosts /root/.ssh/aside",
            "mv /root/.ssh/aside /root/.ssh/known_hosts",
            "ssh:root@10.77.0.1",
            "its host key is not among the known ones (ssh-ed25519 SHA256:",
        ),
        (
            "cp /root/.ssh/known_hosts /root/.ssh/aside; ssh-keygen -q -t ed25519 -N '' -f /run/k; "
            "sed 's/^/10.77.0.1 /' /run/k.pub >/root/.ssh/known_hosts",
            "mv /root/.ssh/aside /root/.ssh/known_hosts; rm /run/k /run/k.pub",
            "ssh:root@10.77.0.1",
            "it shows another host key (ssh-ed25519 SHA256:",
        ),
        (
            "mv /root/.ssh/id_ed25519 /root/.ssh/aside",
            "mv /root/.ssh/aside /root/.ssh/id_ed25519",
            "ssh:root@10.77.0.1",
            "it does not let root in by a key",
        ),
        (
            "mv /root/.ssh/id_ed25519 /root/.ssh/aside; "
            "ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519",
            "mv /root/.ssh/aside /root/.ssh/id_ed25519",
            "ssh:root@10.77.0.1",
            "it does not let root in by a key",
        ),
        ("", "", "ssh:guest@10.77.0.1", "guest may not send ICMP there (EPERM)"),
    ],
)
def test_a_machine_that_cannot_be_the_outside_is_refused(
    host: StagedHost, make: str, undo: str, address: str, why: str
) -> None:
    must(host, make or "true")
    try:
        message = said(host, FAILS, address, "")
    finally:
        must(host, undo or "true")
    assert message.startswith(f"--outside {address}: ")
    assert why in message
    assert len(message.splitlines()) == 2
    assert left(host) == ""


@pytest.mark.staged
def test_another_architecture_is_refused(host: StagedHost) -> None:
    # e_machine of its ELF header, at octet 18: AArch64 (183) for x86-64 (62).
    other = "data = bytearray(program.read_bytes()); assert data[18] == 62; data[18] = 183\n"
    other += "Path('/run/other').write_bytes(data)\n"
    said(host, other)
    message = said(host, FAILS, "ssh:root@10.77.0.1", "/run/other")
    assert "a static program for x86_64, does not run there (x86_64: " in message
    assert left(host) == ""


@pytest.mark.parametrize(
    ("word", "address"),
    [
        ("ssh:root@192.0.2.7", SshAddress("root", "192.0.2.7")),
        ("ssh:probe@lab-7.example.net:2222", SshAddress("probe", "lab-7.example.net", 2222)),
        ("ssh:root@[2001:db8::7]:2222", SshAddress("root", "2001:db8::7", 2222)),
    ],
)
def test_an_address_is_read_and_written_back(word: str, address: SshAddress) -> None:
    assert read_address(word) == address
    assert str(address) == word


@pytest.mark.parametrize(
    "word", ["", "root@a", "ssh:a", "ssh:a@", "ssh:@b", "ssh:a@b:0", "ssh:a@b:x"]
)
def test_what_names_no_machine_is_refused(word: str) -> None:
    with pytest.raises(DataError, match="expected ssh:USER@HOST"):
        read_address(word)
