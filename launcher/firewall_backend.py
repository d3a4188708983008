# SPDX-License-Identifier: GPL-2.0-or-later
"""The backend of libvirt's rules in hosts of a known release, which have their own libvirt."""

from launcher.launcher_error import UsageError

# Those whose libvirt takes the setting: from 10.4 on.
RELEASES = ("trixie",)
FILE = "/etc/libvirt/network.conf"


def require(release: str, backend: str | None) -> None:
    """Check that a release's libvirt takes a value of --firewall-backend.

    Raises:
        UsageError: it does not.
    """
    if backend is not None and release not in RELEASES:
        raise UsageError(
            f"--firewall-backend {backend}: the libvirt of {release} has only iptables; one takes "
            "the setting from 10.4 on",
            f"leave it out, or --release {' or '.join(RELEASES)}",
        )


def settings(backend: str) -> str:
    """Return the text of libvirt's file with the setting."""
    return f'firewall_backend = "{backend}"\n'
