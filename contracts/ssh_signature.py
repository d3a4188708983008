# SPDX-License-Identifier: GPL-2.0-or-later
"""Signatures by SSH keys, as `ssh-keygen -Y sign` makes them (OpenSSH 8.2 and newer)."""

import shutil
import subprocess
from pathlib import Path

# Each is a part of what is signed: a signature made for one thing is none of another.
BUNDLE = "plumbline-bundle"
PACK = "plumbline-pack"


class SigningError(Exception):
    """Nothing was signed.

    Attributes:
        message: the event.
        hint: the next step.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def ssh_keygen() -> str:
    """Return the path of ssh-keygen.

    Raises:
        SigningError: there is none.
    """
    found = shutil.which("ssh-keygen")
    if found is None:
        raise SigningError("there is no ssh-keygen here", "install openssh-client")
    return found


def sign(content: bytes | Path, key: Path, namespace: str) -> bytes:
    """Return a signature of content, or of a file's content.

    Prompts of ssh-keygen (a passphrase, a touch of the token) go to the user.

    Args:
        content: the octets to sign, or the file that has them.
        key: a private key, or the public one of a key that an agent holds.
        namespace: what the signature is for.

    Raises:
        SigningError: there is no ssh-keygen, or it did not sign.
    """
    argv = [ssh_keygen(), "-Y", "sign", "-q", "-f", str(key), "-n", namespace]
    if isinstance(content, Path):
        with content.open("rb") as file:
            done = subprocess.run(argv, stdin=file, stdout=subprocess.PIPE, check=False)
    else:
        done = subprocess.run(argv, input=content, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise SigningError(
            f"--sign {key}: ssh-keygen did not sign (exit {done.returncode})",
            "name a private SSH key, or the public one of a key in your agent",
        )
    return done.stdout
