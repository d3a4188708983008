# SPDX-License-Identifier: GPL-2.0-or-later
"""A staged host from its profile: its root built, booted, and with what the profile puts on it."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fixtures.guest import image as guest_images
from fixtures.guest import kvm_proof
from launcher import packages, setup
from launcher.cache import cache_dir
from launcher.inner_record import cache_in_use
from launcher.launcher_error import LauncherError
from launcher.progress import Progress
from launcher.pytest_command import ROOT
from launcher.staged import root_folder, upgrade
from launcher.staged.host_state import held
from launcher.staged.profile import Profile
from launcher.staged.staged_host import Share, StagedHost, booted, require

QEMU = "qemu-system-x86_64"
# The harness's cache there: what it finds out about the host is kept for the next of its release.
CACHE = Path("/var/cache/plumbline")
# Where its libvirt keeps what it finds out about QEMU, which takes a second.
CAPABILITIES = Path("/var/cache/libvirt/qemu/capabilities")
VARIABLES = {"PLUMBLINE_CACHE": str(CACHE)}


@dataclass(frozen=True)
class StateOrder:
    """What is kept of a host.

    Attributes:
        folder: the folder that keeps its changes; None: they end with it.
        upgrade: the release whose packages are fetched into it before it boots.
    """

    folder: Path | None = None
    upgrade: str | None = None


NO_STATE = StateOrder()


@contextlib.contextmanager
def staged(
    release: str, profile: Profile, shares: Sequence[Share], state: StateOrder = NO_STATE
) -> Iterator[StagedHost]:
    """Boot a host of a profile, and give it when it is ready; on leaving it is gone.

    Args:
        release: the release.
        profile: the profile.
        shares: the folders that it sees beside the clone.
        state: what is kept of it.

    Raises:
        LauncherError: it could not be built or booted.
    """
    setup.ensure(staged=root_folder.cached(release, profile) is None)
    progress = Progress()
    layers = root_folder.ensure(release, profile, progress)
    image = setup.cached_image()
    if image is None:
        raise LauncherError("the guest image is gone from the cache", "./plumbline image build")
    kept = layers[-1].with_name(f"kept-{layers[-1].name}")
    _made(kept)
    images = image.kernel.parent
    seen = [
        Share(ROOT),
        Share(kept, CACHE, writable=True),
        Share(_made(kept / "libvirt-capabilities"), CAPABILITIES, writable=True),
        Share(images, CACHE / images.relative_to(cache_dir())),
        *shares,
    ]
    hostname = f"{profile.name}-{release}"
    with contextlib.ExitStack() as stack:
        stack.enter_context(cache_in_use())
        kept_state = None
        if state.folder is not None:
            kept_state = stack.enter_context(held(state.folder, layers, profile))
            if state.upgrade is not None:
                upgrade.fetch(kept_state, state.upgrade, progress)
        host = stack.enter_context(booted(layers, profile, hostname, seen, kept_state))
        progress(f"staged host: {release}, profile {profile.name}: its services are up")
        if profile.bystander:
            progress(f"staged host: a guest on {profile.bystander}: {_add_bystander(host, image)}")
        if kept_state is not None:
            kept_state.keep()
        yield host


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _add_bystander(host: StagedHost, image: guest_images.Image) -> str:
    """Boot it, and return its address."""
    argv = ["python3", "-P", "-m", "fixtures.guest.bystander", host.profile.bystander]
    said = require(host, [*argv, _accel(image)], VARIABLES | {"PYTHONPATH": str(ROOT)})
    return said.split()[-1]


def _accel(image: guest_images.Image) -> str:
    """Return its accelerator: KVM where a guest proves to boot under it."""
    own = packages.find(QEMU)
    return "kvm" if own is not None and kvm_proof.kvm(image, own).proven else "tcg"
