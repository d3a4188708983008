# SPDX-License-Identifier: GPL-2.0-or-later
"""The names that a command line takes, and the errors for other names.

Standard library only: the launcher refuses a mistyped name before any set-up, and a run in the
environment refuses it with the same message.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from topologies import host_files
from topologies.data_error import DataError, gathered, near_miss

SHIPPED: Final = (
    "linux-bridge",
    "ovs",
    "nat",
    "nat1",
    "nat-dnsmasq",
    "nat-dual-stack",
    "isolated",
    "isolated-dual-stack",
    "routed",
    "routed-dual-stack",
    "open",
    "bridged",
    "bridged-ovs",
    "passthrough",
)
SUFFIXES: Final = (".yaml", ".yml")
XML: Final = ".xml"
FILES: Final = (*SUFFIXES, XML)
STDIN: Final = "-"
# In a folder: what it sources has other names, and is not taken a second time.
INTERFACES: Final = "interfaces"
FOLDER: Final = Path(__file__).resolve().parent
# A topology has a hundred lines; a megabyte is a mistake, and would take a minute to parse.
SIZE_MAX_BYTES: Final = 1_000_000
# 'network_xml: net.xml' of a topology file over libvirt's XML
_OVER_XML = re.compile(r"""^network_xml: *["']?([^"'#\n]+?)["']? *(#.*)?$""", re.MULTILINE)
_CLAIM_ID = re.compile(r"^ *- id: ([A-Z][A-Z0-9]-[0-9]{2})$", re.MULTILINE)  # "      - id: NT-08"


def file_of(name_or_path: str) -> Path:
    """Return the file of a shipped topology, or the path of a user's own.

    Raises:
        DataError: It is neither, or a bridge is named of a file that is no bridge host's.
    """
    if name_or_path in SHIPPED:
        return FOLDER / f"{name_or_path}.yaml"
    path, bridge = host_files.split(name_or_path)
    if bridge is not None and path.suffix in FILES and not is_netplan(path):
        raise DataError(
            f'no file of a bridge host; expected no bridge of it, "{bridge}"',
            file=path,
            hint=f"leave out {host_files.JOINT}{bridge}",
        )
    if path.suffix in FILES or is_interfaces(path):
        return path
    known = ", ".join(SHIPPED)
    if path.is_file():
        raise DataError(
            f"the name does not end in {', '.join(SUFFIXES)} or {XML}, and its first line is none "
            "of /etc/network/interfaces; expected a topology file, libvirt's XML of a network, "
            f"stanzas of a bridge, or one of {known}",
            file=path,
            hint="rename the file, or begin it with auto or iface",
        )
    raise DataError(
        f'unknown topology "{name_or_path}"; expected one of {known}, or a .yaml or '
        ".xml file, /etc/network/interfaces, or a folder of such",
        hint=near_miss(name_or_path, SHIPPED) or "name one of them, or write your own file",
    )


def is_interfaces(file: Path) -> bool:
    """Whether a file without a suffix of ours is of the form of `/etc/network/interfaces`."""
    if file.suffix in FILES or not file.is_file():
        return False
    return host_files.is_interfaces(content(file).decode("utf-8", "replace"))


def is_netplan(file: Path) -> bool:
    """Whether a YAML file is netplan's, by its keys."""
    if file.suffix not in SUFFIXES:
        return False
    return host_files.is_netplan(content(file).decode("utf-8", "replace"))


def expanded(names_or_paths: Iterable[str]) -> list[str]:
    """Return the names and files of topologies, with those in a folder in the folder's place.

    In a folder a file is known by its name alone. XML that a topology file of the folder is over is
    not a topology of its own.

    Raises:
        DataError: A folder has no such file.
    """
    found: list[str] = []
    for word in names_or_paths:
        folder = Path(word)
        if word in SHIPPED or not folder.is_dir():
            found.append(word)
            continue
        files = sorted(each for each in folder.iterdir() if _is_network(each))
        if not files:
            raise DataError(
                f"the folder has no file that ends in {', '.join(FILES)}, and none with the name "
                f"{INTERFACES}; expected networks",
                file=folder,
                hint="virsh net-dumpxml NAME prints the XML of one",
            )
        under = {xml.resolve() for each in files if (xml := xml_under(each)) is not None}
        found += [str(each) for each in files if each.resolve() not in under]
    return found


def _is_network(file: Path) -> bool:
    """Whether a file of a folder is a network, by its name: others are not read."""
    return file.suffix in FILES or (file.name == INTERFACES and file.is_file())


def xml_under(file: Path) -> Path | None:
    """Return the XML that a topology file is over; None: it is over none.

    Raises:
        DataError: The file cannot be read.
    """
    if file.suffix not in SUFFIXES:
        return None
    named = _OVER_XML.search(content(file).decode("utf-8", "replace"))
    return None if named is None else file.parent / named[1]


def content(file: Path) -> bytes:
    """Return the content of a YAML or XML file.

    Raises:
        DataError: It is missing, not a file, not readable, or far too large.
    """
    try:
        size = file.stat().st_size
        if size > SIZE_MAX_BYTES:
            raise DataError(
                f"the file has {size} bytes; expected at most {SIZE_MAX_BYTES}",
                file=file,
                hint="check the name of the file",
            )
        return file.read_bytes()
    except FileNotFoundError as error:
        raise DataError(
            f"no such file; expected {_kind(file)}",
            file=file,
            hint=f"check the path, which is taken from the folder {Path.cwd()}"
            if not file.is_absolute()
            else "check the path",
        ) from error
    except IsADirectoryError as error:
        raise DataError(
            f"this is a folder; expected {_kind(file)}", file=file, hint="name a file in it"
        ) from error
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror}; expected {_kind(file)} that is readable",
            file=file,
            hint="check its permissions and those of the folders above it",
        ) from error


def text_in_utf8(file: Path, what: str) -> str:
    """Return the text of a YAML or XML file.

    Args:
        file: the file.
        what: it is, for the error: as in `a text file`.

    Raises:
        DataError: as `content`, or it is not in UTF-8.
    """
    raw = content(file)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"byte 0x{raw[error.start]:02x} is not UTF-8; expected {what} in UTF-8",
            file=file,
            line=raw.count(b"\n", 0, error.start) + 1,
            hint="save it as UTF-8",
        ) from error


def require_yaml(path: str) -> None:
    """Check that a path is that of a YAML file that can be read; its content is checked later.

    Raises:
        DataError: It is not.
    """
    if Path(path).suffix not in SUFFIXES:
        raise DataError(
            f"the name does not end in {' or '.join(SUFFIXES)}; expected a YAML file",
            file=Path(path),
            hint="check the name",
        )
    content(Path(path))


def _kind(file: Path) -> str:
    return "an XML file" if file.suffix == XML else "a YAML file"


def require_topologies(names_or_paths: Iterable[str]) -> None:
    """Check that each name is known and its file readable; its content is checked later.

    Raises:
        DataError: For all that are not.
    """
    errors: list[DataError] = []
    for name_or_path in names_or_paths:
        try:
            content(file_of(name_or_path))
        except DataError as error:
            errors.append(error)
    if errors:
        raise gathered(errors)


def require_faults(given: Iterable[str], ids: Iterable[str]) -> None:
    """Check that each names a shipped fault, or a file that can be read.

    Args:
        given: Ids and paths.
        ids: The ids of the shipped faults.

    Raises:
        DataError: One is neither, with the nearest id.
    """
    known = list(ids)
    for word in given:
        if Path(word).suffix in SUFFIXES:
            content(Path(word))
        elif word not in known:
            raise DataError(
                f'unknown fault "{word}"; expected the id of a shipped one, or a .yaml file',
                hint=near_miss(word, known) or "./plumbline prove --list shows them",
            )


def require_part(part: str) -> tuple[int, int]:
    """Return `I/N`, the I-th of N parts, as numbers.

    Raises:
        DataError: It is not that, or there is no such part.
    """
    if (numbers := _part(part)) is not None:
        return numbers
    raise DataError(
        f'"{part}" is not a part; expected I/N, the I-th of N parts',
        field="--part",
        hint="--part 1/3 is the first third",
    )


def require_others(word: str) -> tuple[int, int] | None:
    """Return which of the other checks are made, as `require_part` does; None: none of them.

    Raises:
        DataError: It is not one of `all`, `none` and `I/N`, or there is no such part.
    """
    if word == "none":
        return None
    if word == "all":
        return 1, 1
    if (numbers := _part(word)) is not None:
        return numbers
    raise DataError(
        f'"{word}" is not a part of the other checks; expected all, none, or I/N',
        field="--others",
        hint="--others 1/8 makes every eighth of them",
    )


def _part(word: str) -> tuple[int, int] | None:
    first, slash, count = word.partition("/")
    if slash and first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count):
        return int(first), int(count)
    return None


def claim_ids() -> list[str]:
    """Return the ids of the catalogue of claims, without a YAML library."""
    return _CLAIM_ID.findall((FOLDER / "claims.yaml").read_text(encoding="utf-8"))


def require_claims(given: Iterable[str]) -> None:
    """Check that the catalogue has each of these claims.

    Raises:
        DataError: It lacks one, with the nearest that it has.
    """
    require_known(given, claim_ids(), "--claim", "claim", "one in topologies/claims.yaml")


def require_known(
    given: Iterable[str], known: Iterable[str], flag: str, kind: str, expected: str = ""
) -> None:
    """Check that an option has only known names.

    Args:
        given: Its names.
        known: The known names.
        flag: The option.
        kind: The kind of name: `claim`, `capability`.
        expected: The place of the list of known names, where it is too long for a line.

    Raises:
        DataError: It has an unknown name; with the nearest known one.
    """
    names = list(known)
    for word in given:
        if word not in names:
            alike = {name.casefold(): name for name in names}
            raise DataError(
                f'no {kind} "{word}"; expected {expected or "one of " + ", ".join(names)}',
                field=flag,
                hint=near_miss(alike.get(word.casefold(), word), names) or "correct it",
            )
