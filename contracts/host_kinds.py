# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of host by the words of `--host`; `fixtures.host.hosts` has their classes."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class HostKind:
    """One kind of host.

    Attributes:
        word: the value of `--host`, and the host's kind in the record.
        meaning: in a few words.
        brings_nics: it has real NICs whose names it knows, so that no option names them.
        has_profiles: it can be made of a profile.
        is_kept: a folder can keep what is written on it.
    """

    word: str
    meaning: str
    brings_nics: bool = False
    has_profiles: bool = False
    is_kept: bool = False


HOST_KINDS: Final = (
    HostKind("sandbox", "namespaces of this machine (default)"),
    HostKind(
        "lab",
        "a virtual machine with an IOMMU and an SR-IOV NIC",
        brings_nics=True,
        has_profiles=True,
    ),
    HostKind("staged", "a Debian with its services in namespaces", has_profiles=True, is_kept=True),
    HostKind("local", "this machine itself"),
)
HOST_WORDS: Final = tuple(kind.word for kind in HOST_KINDS)


def host_kind(word: str) -> HostKind:
    """Return a kind by its word.

    Raises:
        LookupError: there is no such kind.
    """
    for kind in HOST_KINDS:
        if kind.word == word:
            return kind
    raise LookupError(f"no kind of host is called {word}; expected one of {', '.join(HOST_WORDS)}")
