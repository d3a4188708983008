# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests: reached out of band, with status and deadline; boot failures that tell why."""

import threading
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fixtures.errors import BootFailed, CommandExpired, CommandFailed
from fixtures.guest import image as images
from fixtures.guest.domain_xml import GuestPlan, Hypervisor, Nic, domain_xml
from fixtures.guest.guest import Guest
from fixtures.guest.guest_boot import running
from fixtures.guest.image import Image, boot
from fixtures.guest.keys import make_keys
from fixtures.host.host import Host
from fixtures.host.sandbox import sandbox
from fixtures.waiting import until
from launcher.cache import cache_dir

KHZ = 2_600_000
# libvirt's and QEMU's versions there.
DEBIAN_11 = Hypervisor(7_000_000, 5_002_000, KHZ)
DEBIAN_12 = Hypervisor(9_000_000, 7_002_000, KHZ)
DEBIAN_13 = Hypervisor(11_003_000, 10_000_000, KHZ)


@pytest.fixture(scope="module")
def image() -> Image:
    cached = images.cached()
    assert cached is not None, "no guest image: ./plumbline test makes it first"
    return cached


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with sandbox(cache_dir() / "libvirt-capabilities") as made:
        yield made


def plan(host: Host, image: Image, name: str, initrd: Path | None = None) -> GuestPlan:
    folder = host.state / name
    initrd = initrd or image.initrd
    return GuestPlan(name, image.kernel, initrd, image.tool, "tcg", folder, [])


@pytest.fixture(scope="module")
def guest(host: Host, image: Image) -> Iterator[Guest]:
    keys = make_keys()
    initrd = host.state / "initrd"
    images.with_files(image, keys.guest_files, host.seen(initrd))
    with running(host, [plan(host, image, "kvm1", initrd)], keys) as [answering]:
        yield answering


@pytest.mark.host
def test_status_and_both_streams(guest: Guest) -> None:
    done = guest.run(["sh", "-c", "echo out; echo err >&2; exit 3"], check=False)
    assert (done.status, done.stdout, done.stderr) == (3, "out\n", "err\n")


@pytest.mark.host
def test_arguments_arrive_as_they_are(guest: Guest) -> None:
    awkward = ["a b", "$HOME", "'", '"', "*", ";", "é", ""]
    done = guest.run(["printf", "%s\\n", *awkward])
    assert done.stdout.splitlines() == awkward


@pytest.mark.host
def test_much_output_on_both_streams(guest: Guest) -> None:
    script = "seq 1 40000; seq 1 40000 >&2"
    done = guest.run(["sh", "-c", script], deadline_s=30)
    wanted = "".join(f"{number}\n" for number in range(1, 40001))
    assert done.stdout == wanted
    assert done.stderr == wanted


@pytest.mark.host
def test_failure_is_an_error_unless_asked_not_to_be(guest: Guest) -> None:
    with pytest.raises(CommandFailed, match="false on kvm1 ended with status 1"):
        guest.run(["false"])


@pytest.mark.host
def test_deadline(guest: Guest) -> None:
    with pytest.raises(CommandFailed, match="sleep 60 in guest kvm1 did not end"):
        guest.run(["sleep", "60"], deadline_s=0.5)
    assert guest.run(["echo", "still here"]).stdout == "still here\n"
    until(lambda: "sleep 60" not in guest.run(["ps"]).stdout, "it is killed", deadline_s=5)


@pytest.mark.host
def test_background_ends_with_its_block(guest: Guest) -> None:
    with guest.background(["sleep", "61"]):
        assert "sleep 61" in guest.run(["ps"]).stdout
    until(lambda: "sleep 61" not in guest.run(["ps"]).stdout, "it is killed", deadline_s=5)


@pytest.mark.host
def test_a_guest_that_was_still_for_a_while_is_reached_again(guest: Guest) -> None:
    stops = threading.Timer(1, guest.domain.suspend)
    stops.start()
    try:
        with pytest.raises(CommandExpired, match="did not end within 3 s"):
            guest.run(["sleep", "60"], deadline_s=3)
    finally:
        stops.join()
        guest.domain.resume()
    assert guest.run(["echo", "here"]).stdout == "here\n"


@pytest.mark.host
def test_reached_without_a_network(guest: Guest) -> None:
    links = guest.run(["ls", "/sys/class/net"]).stdout.split()
    assert links == ["lo"]


@pytest.mark.host
def test_host_name(guest: Guest) -> None:
    assert guest.run(["hostname"]).stdout.strip() == "kvm1"


@pytest.mark.host
def test_keys_are_the_runs_own(host: Host, image: Image) -> None:
    # The image's own initramfs has no key: what answers there makes one up, and is not trusted.
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(BootFailed, match="guest kvm2 shows another host key than this run's"),
    ):
        patch.setattr(type(host), "boot_deadline_s", 20.0)
        with running(host, [plan(host, image, "kvm2")], make_keys()):
            pytest.fail("a guest without keys let the harness in")


@pytest.mark.host
def test_a_guest_that_never_answers(host: Host, image: Image) -> None:
    broken = host.state / "broken-initrd"
    host.seen(broken).write_bytes(b"this is no archive")
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(BootFailed) as raised,
    ):
        # Its kernel panics after 3 s on an idle machine, and ends it.
        patch.setattr(type(host), "boot_deadline_s", 60.0)
        with running(host, [plan(host, image, "kvm3", broken)], make_keys()):
            pytest.fail("a guest without a userland answered")
    assert "guest kvm3 ended before it answered" in raised.value.message
    assert "end of its console" in raised.value.hint
    assert "Kernel panic" in raised.value.hint
    assert [domain.name() for domain in host.libvirt.listAllDomains()] in ([], ["kvm1"])


def test_domain_xml() -> None:
    nic = Nic("bridge", "br0", "52:54:00:da:c3:dc", "rtl8139", virtualport="openvswitch")
    made = GuestPlan("kvm1", Path("/k"), Path("/i"), Path("/t"), "kvm", Path("/run/f"), [nic])
    root = ET.fromstring(domain_xml(made, DEBIAN_12))
    assert root.get("type") == "kvm"
    interface = root.find("devices/interface")
    assert interface is not None
    assert interface.get("type") == "bridge"
    for path, attribute, value in (
        ("source", "bridge", "br0"),
        ("virtualport", "type", "openvswitch"),
        ("model", "type", "rtl8139"),
        ("address", "slot", "0x03"),
    ):
        element = interface.find(path)
        assert element is not None
        assert element.get(attribute) == value


def test_a_tcg_machine_could_have_two_cpus() -> None:
    """With at most one, QEMU's TCG leaves out the memory barriers that virtio rests on."""
    for accel, shown, current in (("tcg", "2", "1"), ("kvm", "1", None)):
        made = GuestPlan("kvm1", Path("/k"), Path("/i"), Path("/t"), accel, Path("/run/f"), [])
        vcpu = ET.fromstring(domain_xml(made, DEBIAN_12)).find("vcpu")
        assert vcpu is not None
        assert (vcpu.text, vcpu.get("current")) == (shown, current)


@pytest.mark.parametrize(
    ("hypervisor", "bounded", "long_queues"),
    [(DEBIAN_11, False, False), (DEBIAN_12, True, False), (DEBIAN_13, True, True)],
)
def test_a_domain_is_what_its_hypervisor_knows_and_needs(
    hypervisor: Hypervisor, *, bounded: bool, long_queues: bool
) -> None:
    made = GuestPlan("kvm1", Path("/k"), Path("/i"), Path("/t"), "tcg", Path("/run/f"), [])
    root = ET.fromstring(domain_xml(made, hypervisor))
    assert (root.find("features/tcg") is not None) == bounded
    memory = boot.MEMORY_WITH_LONG_QUEUES_MIB if long_queues else boot.MEMORY_MIB
    assert root.findtext("memory") == str(memory)
    assert f"tsc_early_khz={KHZ}" in root.findtext("os/cmdline", "").split()
