# SPDX-License-Identifier: GPL-2.0-or-later
"""Profiles: what a staged host has beside a release and a host's packages, as data (TOML)."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from launcher.launcher_error import UsageError, near_miss

FOLDER = Path(__file__).resolve().parent.parent.parent / "profiles"
SUFFIX = ".toml"
DEFAULT = "plain"
# The kinds of value that a field can have, by name for a message.
TEXT, TEXTS, TABLE = "a text", "a list of texts", "a table of texts"
LISTS = "a table of lists of texts"


@dataclass(frozen=True)
class Profile:
    """A staged host's own part; each field but name and file is one of the file's keys.

    Attributes:
        name: the file's, without its suffix.
        file: the file, absolute; None: it is not in one.
        text: the host in a sentence.
        releases: the releases that it can be; empty: all.
        not_on: releases that it cannot be, each with the reason.
        packages: beside those of every host.
        packages_of: those of single releases.
        masked: units that are never started.
        enabled: units that are started beside those that packages enable.
        files: of the host, by their absolute paths.
        commands: each run by `sh -ec` once systemd is up; one that fails ends the host.
        bystander: the network of libvirt's that a guest of the host's is on; empty: no guest.
    """

    name: str
    text: str
    releases: tuple[str, ...] = ()
    not_on: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    packages_of: Mapping[str, Sequence[str]] = field(default_factory=dict)
    masked: tuple[str, ...] = ()
    enabled: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    bystander: str = ""
    file: Path | None = None

    @property
    def word(self) -> str:
        """The value of --profile, whatever the current folder."""
        shipped = self.file is None or self.file.parent == FOLDER
        return self.name if shipped else str(self.file)

    @property
    def verdicts(self) -> Path | None:
        """The place of its file of expected verdicts; None: the profile is not in a file."""
        if self.file is None:
            return None
        if self.file.parent == FOLDER:
            return FOLDER / "verdicts" / f"{self.name}.yaml"
        return self.file.with_suffix(".verdicts.yaml")

    def packages_on(self, release: str) -> tuple[str, ...]:
        """Return its packages on a release, beside those of every host."""
        return (*self.packages, *self.packages_of.get(release, ()))

    def require(self, release: str) -> None:
        """Check that it can be of a release.

        Raises:
            UsageError: it cannot.
        """
        if (why := self.not_on.get(release)) is not None:
            raise UsageError(
                f"--profile {self.name}: not with the release {release}: {why}",
                "name another profile; docs/staged.md lists them",
            )
        if self.releases and release not in self.releases:
            raise UsageError(
                f"--profile {self.name}: not with the release {release}",
                f"--release {' or '.join(self.releases)}",
            )


EXPECTED = {
    "text": TEXT,
    "releases": TEXTS,
    "not_on": TABLE,
    "packages": TEXTS,
    "packages_of": LISTS,
    "masked": TEXTS,
    "enabled": TEXTS,
    "files": TABLE,
    "commands": TEXTS,
    "bystander": TEXT,
}


def names() -> list[str]:
    """Return the profiles that are shipped."""
    return sorted(file.stem for file in FOLDER.glob(f"*{SUFFIX}"))


def load(word: str) -> Profile:
    """Return a profile: a shipped one by its name, or one in a file.

    Raises:
        UsageError: there is none, or it is not well-formed; with the place.
    """
    file = Path(word) if word.endswith(SUFFIX) else FOLDER / f"{word}{SUFFIX}"
    try:
        data = tomllib.loads(file.read_text())
    except FileNotFoundError:
        known = ", ".join(names())
        raise UsageError(
            f"--profile {word}: there is no such profile; shipped: {known}",
            near_miss(word, names()) or f"a profile of your own is a file *{SUFFIX}",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: {error}", "docs/staged.md has the format") from error
    _check(file, data)
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
    }
    return Profile(file.stem, file=file.resolve(), **values)


def _check(file: Path, data: Mapping[str, Any]) -> None:
    for key, value in data.items():
        if key not in EXPECTED:
            raise UsageError(
                f"{file}: unknown key {key!r}; expected {', '.join(EXPECTED)}",
                near_miss(key, EXPECTED),
            )
        if not _is(value, EXPECTED[key]):
            raise UsageError(f"{file}: {key} is not {EXPECTED[key]}", "see docs/staged.md")
    if "text" not in data:
        raise UsageError(f"{file}: it has no text", "text is the host in a sentence")
    if both := sorted({*data.get("masked", ())} & {*data.get("enabled", ())}):
        raise UsageError(
            f"{file}: {', '.join(both)}: a unit is masked or enabled, not both",
            "a masked unit never starts: leave it out of one of the lists",
        )
    for path in data.get("files", {}):
        if not path.startswith("/") or ".." in Path(path).parts:
            raise UsageError(f"{file}: files: {path} is not an absolute path", "")


def _is(value: object, expected: str) -> bool:
    if expected == TEXT:
        return isinstance(value, str)
    if expected == TEXTS:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    held = TEXTS if expected == LISTS else TEXT
    return isinstance(value, dict) and all(_is(each, held) for each in value.values())
