# SPDX-License-Identifier: GPL-2.0-or-later
"""Signatures of bundles by SSH keys, verified by `ssh-keygen -Y` (OpenSSH 8.2 and newer)."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from contracts import ssh_signature
from reports.report_error import ReportError

# Verifying needs no user; signing may wait for a passphrase or a touch of a token.
VERIFY_DEADLINE_S = 30


def sign(content: bytes, key: Path) -> bytes:
    """Return a signature of content for a bundle; see `contracts.ssh_signature.sign`.

    Raises:
        ReportError: there is no ssh-keygen, or it did not sign.
    """
    try:
        return ssh_signature.sign(content, key, ssh_signature.BUNDLE)
    except ssh_signature.SigningError as error:
        raise ReportError(error.message, error.hint) from error


def signed_by(content: bytes, signature: bytes, allowed: Path | None, signer: str | None) -> str:
    """Return the signer of content, as a sentence part.

    Args:
        content: the signed octets.
        signature: as `sign` made it.
        allowed: who may sign, in ssh-keygen's format; None: the key is compared with none.
        signer: which of them it must be; None is any.

    Raises:
        ReportError: it is no signature of this content, or not by one who may sign.
    """
    with tempfile.TemporaryDirectory(prefix="plumbline-signature-") as folder:
        file = Path(folder, "signature")
        file.write_bytes(signature)
        known = ["-n", ssh_signature.BUNDLE, "-s", str(file)]
        good = _verify(["check-novalidate", *known], content)
        if good is None:
            raise ReportError(
                "the signature is not one of this bundle's manifest",
                "the bundle was altered after it was signed, or the signature is another's",
            )
        if allowed is None:
            return f"{_key(good)}; it was not compared with known keys: --allowed-signers FILE"
        if not allowed.is_file():
            raise ReportError(
                f"--allowed-signers {allowed}: there is no such file", "see man ssh-keygen"
            )
        names = [signer] if signer is not None else _principals(allowed, file, content)
        for name in names:
            if _verify(["verify", "-f", str(allowed), "-I", name, *known], content) is not None:
                return f"{name}, with {_key(good)}"
    who = f"not by {signer}" if signer is not None else f"by no signer that {allowed} allows"
    raise ReportError(
        f"the bundle is signed, but {who}: by {_key(good)}",
        "compare the fingerprint with the one that its maker gives you",
    )


def _principals(allowed: Path, signature: Path, content: bytes) -> Sequence[str]:
    argv = ["find-principals", "-f", str(allowed), "-s", str(signature)]
    said = _verify(argv, content)
    return said.split() if said else []


def _verify(argv: Sequence[str], content: bytes) -> str | None:
    """Return ssh-keygen's output about a signature; None when it is not good."""
    try:
        done = subprocess.run(
            [_ssh_keygen(), "-Y", *argv],
            input=content,
            capture_output=True,
            timeout=VERIFY_DEADLINE_S,
            env=os.environ | {"LC_ALL": "C"},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ReportError(
            f"ssh-keygen -Y {argv[0]} did not end within {VERIFY_DEADLINE_S} s",
            "expected it to read a few files and end: try it by hand, see docs/bundle.md",
        ) from error
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def _key(said: str) -> str:
    """Return the key of `Good "plumbline-bundle" signature with ED25519 key SHA256:…`."""
    return said.strip().rpartition(" with ")[2]


def _ssh_keygen() -> str:
    try:
        return ssh_signature.ssh_keygen()
    except ssh_signature.SigningError as error:
        raise ReportError(error.message, error.hint) from error
