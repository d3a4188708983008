# SPDX-License-Identifier: GPL-2.0-or-later
"""Bare roots of Debian's releases: a machine that makes a pack, and hosts without a network."""

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fixtures.guest import image as guest_images
from launcher import debootstrap
from launcher.cache import cache_dir
from launcher.staged.staged_host import PATH
from tests.launched import ROOT

# Packages, environment and run take three minutes on two idle cores.
DEADLINE_S = 1500.0
CACHE = Path("/var/cache/plumbline")
# Of a host: the files that this machine's pip is configured with.
SETTINGS = Path("/settings")
# Run in namespaces of its own; its arguments are the folder of what is written, the root below it,
# the working folder, the number of words that follow for binds (ro or rw, a folder, its place),
# these, and the command. The devices are those that a container is given. Its root is that of its
# mount namespace: who enters that namespace later would leave the folder of a chroot.
ENTER = r"""
folder=$1 lower=$2 working=$3 binds=$4
shift 4
mkdir -p "$folder/upper" "$folder/work" "$folder/root"
mount -t overlay -o "lowerdir=$lower,upperdir=$folder/upper,workdir=$folder/work" overlay \
    "$folder/root"
cd "$folder/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
for place in run tmp dev; do mount -t tmpfs tmpfs $place; done
mkdir dev/net dev/pts dev/shm
for device in null zero full random urandom tty net/tun kvm; do
    [ -e /dev/$device ] || continue
    touch dev/$device
    mount --bind /dev/$device dev/$device
    mount -o remount,bind,ro dev/$device
done
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
while [ "$binds" -gt 0 ]; do
    mkdir -p ".$3"
    mount --bind "$2" ".$3"
    mount -o "remount,bind,$1" ".$3"
    shift 3
    binds=$((binds - 3))
done
mkdir run/machine
pivot_root . run/machine
exec chroot . sh -ec 'umount --lazy /run/machine; rmdir /run/machine; exec env "$@"' sh \
    --chdir="$working" "$@"
"""
# "global.find-links='/opt/wheels'", ":env:.cert='/etc/ssl/certs/ca-certificates.crt'"
_SETTING = re.compile(r"^(?:global|install|wheel|:env:)\.(?P<name>[a-z-]+)='(?P<value>.*)'$")
_PATH = re.compile(r"(?:file://)?(/[^\s]+)")


@dataclass(frozen=True)
class BareHost:
    """A root of a release and what a host has written over it.

    Attributes:
        folder: for what it writes.
        root: the root folder, which stays as it is.
        networked: whether its commands are in this machine's network; otherwise they are in a
            network namespace without a link.
        binds: folders of this machine, by their places in the host, which cannot write to them.
        outputs: the same, for what the host has to write.
    """

    folder: Path
    root: Path
    networked: bool
    binds: Mapping[Path, Path]
    outputs: Mapping[Path, Path]

    def argv(
        self,
        command: Sequence[str],
        variables: Mapping[str, str] | None = None,
        working: str | Path = "/",
    ) -> list[str]:
        """Return the words that run a command in it as root, with no variable of ours."""
        settings = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **(variables or {})}
        binds = [
            str(word)
            for mode, folders in (("ro", self.binds), ("rw", self.outputs))
            for place, folder in folders.items()
            for word in (mode, folder, place)
        ]
        return [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
            *([] if self.networked else ["--net"]),
            *("sh", "-ec", ENTER, "sh", str(self.folder), str(self.root), str(working)),
            *(str(len(binds)), *binds, "--ignore-environment"),
            *(f"{name}={value}" for name, value in settings.items()),
            *command,
        ]

    def capture(
        self,
        command: Sequence[str],
        variables: Mapping[str, str] | None = None,
        working: str | Path = "/",
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it to its end."""
        return subprocess.run(
            self.argv(command, variables, working),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=DEADLINE_S,
            check=False,
        )


@contextlib.contextmanager
def bare_host(
    folder: Path,
    root: Path,
    binds: Mapping[Path, Path],
    outputs: Mapping[Path, Path],
    *,
    networked: bool = False,
) -> Iterator[BareHost]:
    """Give a host; on leaving what it has written is gone, a gigabyte with its packages.

    Args:
        folder: for what it writes; it is made, and removed.
        root: the root folder.
        binds: folders of this machine, by their places in the host, which cannot write to them.
        outputs: the same, for what the host has to write.
        networked: whether it is in this machine's network.
    """
    try:
        yield BareHost(folder, root, networked, binds, outputs)
    finally:
        debootstrap.remove(folder)


@contextlib.contextmanager
def bare_root(folder: Path, release: str, packages: Sequence[str] = ()) -> Iterator[Path]:
    """Build a root with nothing but the essential packages, apt and the named ones.

    Args:
        folder: where it is made.
        release: the release.
        packages: packages beside those of mmdebstrap's minbase.
    """
    root = folder / f"root-{release}"
    try:
        debootstrap.debootstrap(release, root, debootstrap.mirror(), packages)
        yield root
    finally:
        debootstrap.remove(root)


def pack_with_packages(folder: Path, root: Path) -> Path:
    """Make a pack with packages on a root with Python, in the network of this machine.

    The root's own Python and apt make it. Its pip is configured as this machine's is.
    """
    image = guest_images.cached()
    assert image is not None
    images = image.kernel.parent
    variables, folders = pip_settings(folder / "settings")
    output = folder / "packs"
    output.mkdir(exist_ok=True)
    binds = {
        **folders,
        ROOT: ROOT,
        CACHE / images.relative_to(cache_dir()): images,
    }
    outputs = {Path("/packs"): output}
    # mmdebstrap leaves these two files as the machine's own.
    for name in ("resolv.conf", "hosts"):
        (root / "etc" / name).write_bytes((Path("/etc") / name).read_bytes())
    argv = [str(ROOT / "plumbline"), "pack", "--with-packages", "--output", "/packs"]
    with bare_host(folder / "maker", root, binds, outputs, networked=True) as maker:
        done = maker.capture(argv, {**variables, "PLUMBLINE_CACHE": str(CACHE)})
    assert done.returncode == 0, done.stdout + done.stderr
    [archive] = output.glob("*.tar.gz")
    return archive


def pip_settings(copies: Path) -> tuple[dict[str, str], dict[Path, Path]]:
    """Return the settings of this machine's pip as variables, and the folders that they name.

    Args:
        copies: a folder to make, for copies of the files that they name: the host's own packages
            may have files of the same names.
    """
    argv = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    found = [hit for line in said.splitlines() if (hit := _SETTING.match(line))]
    variables = {f"PIP_{hit['name'].upper().replace('-', '_')}": hit["value"] for hit in found}
    named = {Path(path) for value in variables.values() for path in _PATH.findall(value)}
    copies.mkdir()
    folders = {SETTINGS: copies}
    for path in named:
        if path.is_file():
            shutil.copy(path, copies)
            for name, value in variables.items():
                variables[name] = value.replace(str(path), str(SETTINGS / path.name))
        elif path.is_dir():
            # An index in a folder, "simple", leads to files beside it.
            whole = path.parent if path.name == "simple" else path
            folders[whole] = whole
    return variables, folders
