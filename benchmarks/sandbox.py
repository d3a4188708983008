# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a sandbox takes, and a guest on it: made, first answer, memory, gone.

python -m benchmarks.sandbox [ROUNDS]
"""

import sys
import time
from collections.abc import Sequence
from statistics import median

from fixtures.guest import image as images
from fixtures.guest.domain_xml import GuestPlan
from fixtures.guest.guest_boot import running
from fixtures.guest.keys import make_keys
from fixtures.host.host import Host
from fixtures.host.sandbox import sandbox
from launcher.cache import cache_dir

ROUNDS = 5


def main(argv: Sequence[str]) -> None:
    """Measure some rounds and print a table of seconds and MiB."""
    rounds = int(argv[0]) if argv else ROUNDS
    cache = cache_dir() / "libvirt-capabilities"
    rows: dict[str, list[float]] = {}
    for _ in range(rounds):
        begin = time.monotonic()
        with sandbox(cache) as host:
            _note(rows, "sandbox ready, s", time.monotonic() - begin)
            _guest(rows, host)
            begin = time.monotonic()
        _note(rows, "sandbox gone, s", time.monotonic() - begin)
    print(f"{'':32}{'min':>8}{'median':>8}{'max':>8}   ({rounds} rounds)")
    for name, samples in rows.items():
        print(f"{name:32}{min(samples):8.2f}{median(samples):8.2f}{max(samples):8.2f}")


def _guest(rows: dict[str, list[float]], host: Host) -> None:
    image = images.cached()
    if image is None:
        raise SystemExit("there is no guest image; ./plumbline image build makes it")
    keys = make_keys()
    initrd = host.state / "initrd"
    images.with_files(image, keys.guest_files, host.seen(initrd))
    plan = GuestPlan("kvm1", image.kernel, initrd, image.tool, "tcg", host.state / "kvm1", [])
    begin = time.monotonic()
    with running(host, [plan], keys) as [guest]:
        _note(rows, "guest's first answer, s", time.monotonic() - begin)
        begin = time.monotonic()
        guest.run(["true"])
        _note(rows, "a command in the guest, s", time.monotonic() - begin)
        _note(rows, "guest's QEMU resident, MiB", _resident_mib(host))
        begin = time.monotonic()
    _note(rows, "guest destroyed, s", time.monotonic() - begin)


def _resident_mib(host: Host) -> float:
    shown = host.run(["ps", "-C", "qemu-system-x86_64", "-o", "rss="], check=False).stdout
    return max(int(word) for word in shown.split()) / 1024


def _note(rows: dict[str, list[float]], name: str, value: float) -> None:
    rows.setdefault(name, []).append(value)


if __name__ == "__main__":
    main(sys.argv[1:])
