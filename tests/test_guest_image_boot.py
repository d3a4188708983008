# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest image booted: its programs, drivers and services, and the way to it."""

import json
import logging
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import paramiko
import pytest

from fixtures.guest import image as images
from fixtures.guest.channel import transport_over
from fixtures.guest.domain_xml import GuestPlan, Nic
from fixtures.guest.guest import Guest
from fixtures.guest.guest_boot import running
from fixtures.guest.image import Image
from fixtures.guest.keys import RunKeys, make_keys
from fixtures.host.host import Host
from fixtures.host.sandbox import sandbox
from launcher.cache import cache_dir

pytestmark = pytest.mark.host

BRIDGE = "br-image"
HOST, GUEST = "192.0.2.1", "192.0.2.2"
HOST6, GUEST6 = "2001:db8::1", "2001:db8::2"
ECHO_PORT = "7777"
NICS = {"virtio": "virtio_net", "e1000": "e1000", "e1000e": "e1000e", "rtl8139": "8139cp"}
# What the harness and its checks run in a guest, and what each prints where it works.
PROGRAMS = {
    "ip -V": "iproute2",
    "bridge -V": "bridge utility",
    "ss -V": "iproute2",
    "tc -V": "iproute2",
    "ping -V": "iputils",
    "tcpdump --version": "libpcap",
    "ethtool --version": "ethtool",
    "iperf3 --version": "iperf",
    "udhcpc --help": "BusyBox",
    "dhcpcd --version": "dhcpcd",
    "timeout 5 ip -V": "iproute2",
    "sh -c 'ip -V'": "iproute2",
}


@pytest.fixture(scope="module")
def image() -> Image:
    found = images.cached()
    assert found is not None, "no guest image: ./plumbline test makes it first"
    return found


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with sandbox(cache_dir() / "libvirt-capabilities") as made:
        made.run(["ip", "link", "add", BRIDGE, "type", "bridge"])
        made.run(["ip", "address", "add", f"{HOST}/24", "dev", BRIDGE])
        made.run(["ip", "address", "add", f"{HOST6}/64", "dev", BRIDGE, "nodad"])
        made.run(["ip", "link", "set", BRIDGE, "up"])
        yield made


@pytest.fixture(scope="module")
def keys() -> RunKeys:
    return make_keys()


@contextmanager
def booted(
    host: Host, image: Image, keys: RunKeys, name: str, models: Iterable[str] = NICS
) -> Iterator[Guest]:
    folder = host.state / name
    initrd = host.state / f"{name}.initrd"
    images.with_files(image, keys.guest_files, host.seen(initrd))
    nics = [
        Nic("bridge", BRIDGE, f"52:54:00:00:00:{number:02x}", model)
        for number, model in enumerate(models, start=1)
    ]
    plan = GuestPlan(name, image.kernel, initrd, image.tool, "tcg", folder, nics)
    with running(host, [plan], keys) as [guest]:
        yield guest


@pytest.fixture(scope="module")
def guest(host: Host, image: Image, keys: RunKeys) -> Iterator[Guest]:
    with booted(host, image, keys, "kvm1") as answering:
        nic = nic_of(answering, "virtio_net")
        answering.run(["ip", "address", "add", f"{GUEST}/24", "dev", nic])
        answering.run(["ip", "address", "add", f"{GUEST6}/64", "dev", nic, "nodad"])
        answering.run(["ip", "link", "set", nic, "up"])
        yield answering


def nic_of(guest: Guest, driver: str) -> str:
    """Return the interface that a driver drives."""
    shown = guest.run(["sh", "-c", "ls -l /sys/class/net/*/device/driver"]).stdout
    [line] = [line for line in shown.splitlines() if line.endswith(f"/{driver}")]
    return line.split("/sys/class/net/")[1].split("/")[0]


@pytest.mark.parametrize("command", PROGRAMS)
def test_a_program_works(guest: Guest, command: str) -> None:
    done = guest.run(["sh", "-c", command], check=False)
    assert done.status == 0, done.stderr
    assert PROGRAMS[command] in done.stdout + done.stderr


@pytest.mark.parametrize("driver", NICS.values())
def test_a_nic_has_its_driver(guest: Guest, driver: str) -> None:
    nic = nic_of(guest, driver)
    assert nic.startswith("eth")
    assert f"driver: {driver}" in guest.run(["ethtool", "-i", nic]).stdout


@pytest.mark.parametrize("module", ["igbvf", "8021q"])
def test_a_module_loads_when_it_is_needed(guest: Guest, module: str) -> None:
    guest.run(["modprobe", module])
    assert module in guest.run(["lsmod"]).stdout


def test_a_nic_that_is_plugged_in_gets_its_driver(host: Host, image: Image, keys: RunKeys) -> None:
    with booted(host, image, keys, "kvm4", []) as other:
        assert other.run(["ls", "/sys/class/net"]).stdout.split() == ["lo"]
        other.domain.attachDevice(
            f"<interface type='bridge'><source bridge='{BRIDGE}'/><model type='e1000'/></interface>"
        )
        until = time.monotonic() + 20
        while "eth0" not in other.run(["ls", "/sys/class/net"]).stdout:
            assert time.monotonic() < until
        assert nic_of(other, "e1000") == "eth0"


def test_nics_wait_for_whoever_sets_them_up(host: Host, image: Image, keys: RunKeys) -> None:
    with booted(host, image, keys, "kvm2") as other:
        links = json.loads(other.run(["ip", "-json", "address"]).stdout)
        assert {link["ifname"] for link in links} == {"lo", "eth0", "eth1", "eth2", "eth3"}
        for link in links:
            addresses = [address["local"] for address in link["addr_info"]]
            assert ("UP" in link["flags"]) == (link["ifname"] == "lo")
            assert addresses == (["127.0.0.1", "::1"] if link["ifname"] == "lo" else [])
        assert other.run(["hostname"]).stdout == "kvm2\n"


def test_the_console_says_that_it_is_up(guest: Guest) -> None:
    assert guest.console().strip() == "plumbline: userland up"


def test_no_key_but_this_run_s(guest: Guest, keys: RunKeys) -> None:
    found = guest.run(["find", "/root", "/etc/dropbear", "-type", "f"]).stdout.split()
    assert sorted(found) == sorted(keys.guest_files)
    for path, (content, mode) in keys.guest_files.items():
        shown = guest.run(["stat", "-c", "%a %u %s", path]).stdout.split()
        assert shown == [f"{mode:o}", "0", str(len(content))]
    guest.run(["test", "!", "-e", "/etc/plumbline.seed"])


def test_nobody_enters_with_another_key(host: Host, guest: Guest) -> None:
    stranger = make_keys()
    guest._channel.close()
    try:
        with raw_client(host, guest) as transport:
            with pytest.raises(paramiko.AuthenticationException):
                transport.auth_publickey("root", stranger.client)
            with pytest.raises(paramiko.BadAuthenticationType):
                transport.auth_password("root", "")
    finally:
        guest._channel.connect(20)


def test_children_are_reaped(guest: Guest) -> None:
    # The shell ends first: its child is then PID 1's.
    guest.run(["sh", "-c", "(sleep 0.2; exit 1) & exec true"])
    until = time.monotonic() + 10
    while "sleep" in guest.run(["ps"]).stdout:
        assert time.monotonic() < until
    states = guest.run(["sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null"], check=False).stdout
    assert " Z " not in states


# plumbline-probe, from the guest to the host and back


@pytest.fixture(scope="module")
def server(host: Host, image: Image) -> Iterator[None]:
    with host.background([str(image.tool), "serve"]):
        until = time.monotonic() + 5
        while ask(host, image, "tcp", HOST)[0] != 0:
            assert time.monotonic() < until
        yield


def ask(
    host: Host, image: Image, protocol: str, address: str, *options: str
) -> tuple[int, dict[str, Any]]:
    port = [] if protocol == "icmp" else [ECHO_PORT]
    argv = [str(image.tool), protocol, address, *port, "--timeout", "1", *options]
    done = host.run(argv, check=False)
    return done.status, json.loads(done.stdout)


@pytest.mark.usefixtures("guest")
@pytest.mark.parametrize("address", [GUEST, GUEST6])
def test_a_long_stream_comes_back(host: Host, image: Image, address: str) -> None:
    status, said = ask(host, image, "tcp", address, "--size", "300000", "--timeout", "10")
    assert (status, said["sent"], said["answered"], said["error"]) == (0, 1, 1, None)
    assert said["rtt_us"] > 0


@pytest.mark.usefixtures("guest")
@pytest.mark.parametrize("address", [GUEST, GUEST6])
def test_udp_comes_back(host: Host, image: Image, address: str) -> None:
    status, said = ask(host, image, "udp", address, "--count", "5", "--size", "1000")
    assert (status, said["sent"], said["answered"], said["unanswered"]) == (0, 5, 5, [])
    assert said["duplicated"] == 0


@pytest.mark.usefixtures("guest")
@pytest.mark.parametrize("protocol", ["icmp", "tcp", "udp"])
def test_requests_of_several_sizes_come_back(host: Host, image: Image, protocol: str) -> None:
    status, said = ask(host, image, protocol, GUEST, "--size", "64,1472,4001")
    assert (status, said["sent"], said["answered"], said["unanswered"]) == (0, 3, 3, [])
    assert said["source"].partition(":")[0] == HOST


@pytest.mark.usefixtures("guest")
@pytest.mark.parametrize("protocol", ["icmp", "tcp", "udp"])
def test_requests_of_several_sizes_come_back_by_ipv6(
    host: Host, image: Image, protocol: str
) -> None:
    status, said = ask(host, image, protocol, GUEST6, "--size", "64,1452,4001")
    assert (status, said["sent"], said["answered"], said["unanswered"]) == (0, 3, 3, [])
    # An ICMP message has no port.
    assert said["source"].startswith("[") == (protocol != "icmp")
    assert ":" in said["source"]


@pytest.mark.usefixtures("guest")
@pytest.mark.parametrize("protocol", ["icmp", "udp"])
def test_the_size_that_is_lost_is_told(host: Host, image: Image, protocol: str) -> None:
    large = ["OUTPUT", "-p", protocol, "-m", "length", "--length", "1400:", "-j", "DROP"]
    host.run(["iptables", "-I", *large])
    try:
        status, said = ask(host, image, protocol, GUEST, "--size", "64,1472,64")
    finally:
        host.run(["iptables", "-D", *large])
    assert (status, said["sent"], said["answered"], said["unanswered"]) == (1, 3, 2, [1472])


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_the_guest_asks_too(guest: Guest, protocol: str) -> None:
    options = ["--source", GUEST, "--source-port", "40000", "--timeout", "2"]
    done = guest.run(["plumbline-probe", protocol, HOST, ECHO_PORT, *options])
    assert json.loads(done.stdout)["source"] == f"{GUEST}:40000"


@pytest.mark.usefixtures("server")
def test_many_connections_are_open_at_once(guest: Guest) -> None:
    many = ["--count", "500", "--at-once", "--timeout", "10"]
    done = guest.run(["plumbline-probe", "tcp", HOST, ECHO_PORT, *many])
    said = json.loads(done.stdout)
    assert (said["sent"], said["answered"], said["error"]) == (500, 500, None)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_name_server_that_is_not_there_is_told(guest: Guest, protocol: str) -> None:
    done = guest.run(["plumbline-probe", "dns", protocol, HOST, "00", "2"], check=False)
    assert done.status == 1
    assert json.loads(done.stdout) == {"answer": None, "error": "ECONNREFUSED"}


@pytest.mark.usefixtures("guest")
@pytest.mark.parametrize("protocol", ["icmp", "tcp", "udp"])
def test_silence_is_told(host: Host, image: Image, protocol: str) -> None:
    # An address on the bridge that nobody has.
    status, said = ask(host, image, protocol, "192.0.2.99", "--timeout", "0.5")
    assert (status, said["answered"], said["unanswered"]) == (1, 0, [64])
    assert said["error"] in {"ETIMEDOUT", "EHOSTUNREACH"}


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_refusal_is_told(host: Host, image: Image, guest: Guest, protocol: str) -> None:
    argv = [str(image.tool), protocol, GUEST, "7", "--timeout", "1"]
    done = host.run(argv, check=False)
    assert done.status == 1
    assert json.loads(done.stdout)["error"] == "ECONNREFUSED"
    assert guest.run(["true"]).status == 0


@pytest.mark.parametrize("protocol", ["icmp", "tcp", "udp"])
def test_what_cannot_be_sent_is_told(host: Host, image: Image, protocol: str) -> None:
    # RFC 5737, documentation: the host has no route to it.
    status, said = ask(host, image, protocol, "203.0.113.1")
    assert (status, said["answered"], said["error"]) == (1, 0, "ENETUNREACH")


def test_an_icmp_refusal_is_told(host: Host, image: Image) -> None:
    refused = ["INPUT", "-p", "icmp", "--icmp-type", "echo-request", "-d", HOST]
    refused += ["-j", "REJECT", "--reject-with", "icmp-host-prohibited"]
    host.run(["iptables", "-I", *refused])
    try:
        status, said = ask(host, image, "icmp", HOST)
    finally:
        host.run(["iptables", "-D", *refused])
    assert (status, said["answered"], said["error"]) == (1, 0, "EHOSTUNREACH")


@pytest.mark.parametrize(
    "options",
    [
        ["tcp"],
        ["tcp", "nowhere", "1"],
        ["udp", HOST, "7", "--size", "1"],
        ["udp", HOST, "7", "--size", "64,"],
        ["icmp", HOST, "7"],
        ["icmp", HOST, "--source-port", "7"],
        ["tcp", HOST, "7", "--source-port", "7", "--count", "2"],
        ["icmp", "::1", "7"],
        ["icmp", "::1", "--source", HOST],
        ["udp", HOST, "7", "--at-once"],
        ["dns", "udp", "nowhere", "00", "1"],
        ["dns", "udp", HOST, "0", "1"],
        ["dance"],
    ],
)
def test_misuse_is_told(host: Host, image: Image, options: list[str]) -> None:
    done = host.run([str(image.tool), *options], check=False)
    assert done.status == 2
    assert "usage:" in done.stderr


# The relay


@contextmanager
def raw_client(host: Host, guest: Guest) -> Iterator[paramiko.Transport]:
    """Open an SSH connection that ends without a goodbye: its socket is closed under it."""
    transport = transport_over(host.seen(guest.plan.channel))
    transport.banner_timeout = 20
    try:
        transport.start_client(timeout=20)
        yield transport
    finally:
        transport.sock.close()
        transport.close()


@pytest.mark.parametrize("direction", ["to the host", "to the guest", "to nobody"])
def test_a_cut_connection_leaves_no_bytes_behind(
    host: Host, guest: Guest, keys: RunKeys, direction: str, caplog: pytest.LogCaptureFixture
) -> None:
    # paramiko logs each cut as an error, with its traceback.
    caplog.set_level(logging.CRITICAL, "paramiko.transport")
    commands = {
        "to the host": "cat /dev/zero",
        "to the guest": "cat >/dev/null",
        "to nobody": "sleep 1",
    }
    guest._channel.close()
    try:
        for _ in range(6):
            with raw_client(host, guest) as transport:
                transport.auth_publickey("root", keys.client)
                session = transport.open_session()
                session.exec_command(commands[direction])
                if direction == "to the host":
                    assert session.recv(200_000)
                else:
                    session.sendall(bytes(20_000))
        with raw_client(host, guest) as transport:
            transport.auth_publickey("root", keys.client)
            session = transport.open_session()
            session.exec_command("echo still here")
            assert session.recv(100) == b"still here\n"
            assert session.recv_exit_status() == 0
    finally:
        guest._channel.connect(20)


def test_greetings_without_a_client_do_not_block_the_next(host: Host, guest: Guest) -> None:
    guest._channel.close()
    try:
        # Each is two notices to the guest: the port opens, it closes. QEMU drops what does not fit
        # into their queue of 32; the client connects again then.
        for number in range(20):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
                stream.connect(str(host.seen(guest.plan.channel)))
                stream.send(b"SSH-2.0-nobody\r\n" if number % 2 else b"\0 no greeting")
    finally:
        guest._channel.connect(20)
    assert guest.run(["true"]).status == 0


# The end


def test_poweroff_ends_the_guest(host: Host, image: Image, keys: RunKeys) -> None:
    with booted(host, image, keys, "kvm3") as other:
        assert other.run(["poweroff"]).status == 0
        until = time.monotonic() + 10
        while "Power down" not in other.console():
            assert time.monotonic() < until, other.console()
