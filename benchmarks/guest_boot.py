# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a guest takes from its definition to its userland and to its first answer over SSH.

    python -m benchmarks.guest_boot [--rounds N] [--accel tcg|kvm] [--nics N]

Boots guests one after another through libvirt on a sandbox, and prints minimum, median and maximum,
the resident memory of QEMU, and the size of the image.
"""

import argparse
import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from fixtures.guest import image as images
from fixtures.guest.domain_xml import GuestPlan, Nic
from fixtures.guest.guest_boot import running
from fixtures.guest.image import Image
from fixtures.guest.keys import RunKeys, make_keys
from fixtures.host.host import Host
from fixtures.host.sandbox import sandbox
from launcher.cache import cache_dir

UP = "plumbline: userland up"
BRIDGE = "br-boot"
# How often the console's file is looked at: the resolution of "userland up".
LOOK_S = 0.01


@dataclass(frozen=True)
class Boot:
    """One boot, timed from the moment before libvirt is called."""

    up_s: float
    answer_s: float
    command_s: float
    resident_mib: float


class Console:
    """Notes when the console shows that the userland is up."""

    def __init__(self, log: Path) -> None:
        self.up_at = 0.0
        self._log = log
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_S):
            if self._log.exists() and UP in self._log.read_text(errors="replace"):
                self.up_at = time.monotonic()
                return

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Watch for the length of a `with` block."""
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()


def main(argv: Sequence[str]) -> None:
    """Boot some guests and print a table of seconds and MiB."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guest_boot")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--accel", choices=("tcg", "kvm"), default="tcg")
    parser.add_argument("--nics", type=int, nargs="+", default=[0, 1])
    options = parser.parse_args(argv)
    image = images.ensure(print)
    _print_sizes(image)
    print(f"{options.rounds} rounds by {options.accel:16}{'min':>8}{'median':>8}{'max':>8}")
    with sandbox(cache_dir() / "libvirt-capabilities") as host:
        host.run(["ip", "link", "add", BRIDGE, "type", "bridge"])
        for count in options.nics:
            print(f"{count} NIC")
            boots = [_boot(host, image, options.accel, count) for _ in range(options.rounds)]
            _print_row("userland up, s", [boot.up_s for boot in boots])
            _print_row("first answer over SSH, s", [boot.answer_s for boot in boots])
            _print_row("a command after that, s", [boot.command_s for boot in boots])
            _print_row("QEMU resident, MiB", [boot.resident_mib for boot in boots])


def _boot(host: Host, image: Image, accel: str, nics: int) -> Boot:
    with tempfile.TemporaryDirectory(dir=host.seen(host.state)) as folder:
        own = host.state / Path(folder).name
        keys = make_keys()
        plan = _plan(host, image, accel, nics, own, keys)
        console = Console(host.seen(plan.console))
        with console.watched():
            begin = time.monotonic()
            with running(host, [plan], keys) as [guest]:
                answered = time.monotonic()
                guest.run(["true"])
                ran = time.monotonic()
                resident = _resident_mib(host)
        return Boot(console.up_at - begin, answered - begin, ran - answered, resident)


def _plan(
    host: Host, image: Image, accel: str, nics: int, folder: Path, keys: RunKeys
) -> GuestPlan:
    initrd = folder / "initrd"
    images.with_files(image, keys.guest_files, host.seen(initrd))
    ports = [Nic("bridge", BRIDGE, f"52:54:00:00:00:{n + 1:02x}", "virtio") for n in range(nics)]
    return GuestPlan("boot", image.kernel, initrd, image.tool, accel, folder / "boot", ports)


def _resident_mib(host: Host) -> float:
    shown = host.run(["ps", "-C", "qemu-system-x86_64", "-o", "rss="]).stdout
    return max(int(word) for word in shown.split()) / 1024


def _print_sizes(image: Image) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "guest.tgz"
        images.export(image, file)
        exported = file.stat().st_size
    for name, size in (
        ("kernel", image.kernel.stat().st_size),
        ("initrd", image.initrd.stat().st_size),
        ("everything that is cached", image.size),
        ("exported", exported),
    ):
        print(f"{name:28}{size / 2**20:8.1f} MiB")


def _print_row(name: str, samples: list[float]) -> None:
    print(f"  {name:26}{min(samples):8.2f}{median(samples):8.2f}{max(samples):8.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
