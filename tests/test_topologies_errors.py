# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong in a topology file is said with file, line, field, expectation and advice."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from topologies import library
from topologies.data_error import DataError

FOLDER = Path(library.__file__).resolve().parent


@dataclass(frozen=True)
class Case:
    """A shipped topology with something wrong put in, and what must be said about it."""

    name: str
    base: str
    edits: list[tuple[str, str]]
    line: str
    field: str
    says: list[str]


def written(folder: Path, base: str, *edits: tuple[str, str]) -> Path:
    """Write a shipped topology with parts replaced, under a name of its own."""
    text = (FOLDER / f"{base}.yaml").read_text(encoding="utf-8")
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {base}.yaml"
        text = text.replace(old, new)
    file = folder / "site.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def line_of(file: Path, marker: str) -> int:
    """Return the number of the only line that holds a marker."""
    lines = file.read_text(encoding="utf-8").splitlines()
    numbers = [number for number, line in enumerate(lines, 1) if marker in line]
    assert len(numbers) == 1, f"{marker!r} is on lines {numbers}"
    return numbers[0]


def refused(file: Path) -> DataError:
    """Load a file that must be refused, and return the error."""
    with pytest.raises(DataError) as caught:
        library.load(str(file))
    return caught.value


def cases() -> list[Case]:
    """Read the cases that stand beside this file."""
    entries = YAML(typ="safe").load(Path(__file__).with_suffix(".yaml"))
    return [
        Case(
            name=entry["case"],
            base=entry["base"],
            edits=[(edit["old"], edit["new"]) for edit in entry["edits"]],
            line=entry["line"],
            field=entry["field"],
            says=entry["says"],
        )
        for entry in entries
    ]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_an_error_names_file_line_and_field(case: Case, tmp_path: Path) -> None:
    file = written(tmp_path, case.base, *case.edits)
    error = refused(file)
    assert [single.field for single in error.errors] == [case.field]
    line = line_of(file, case.line)
    assert (error.file, error.line, error.field) == (file, line, case.field)
    assert str(error).startswith(f"{file}:{line}: {case.field}: ")
    assert "\n" not in str(error)
    for part in case.says:
        assert part in str(error)
    assert error.hint
    assert str(error).endswith(error.hint)


def test_all_errors_of_a_file_are_reported_one_per_line_in_order(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "nat",
        ("outside: 192.168.1.10", "outside: 192.168.2.10"),  # a rule between parts
        ("kind: nat", "kind: router"),  # a value of its own
        ('"52:54:00:55:9b:d7"', '"52:54:00:55:9b:d6" # again'),
        ("10.10.10.1/24", "10.10.10.1"),
        ("reach: false", "reach: no"),
    )
    error = refused(file)
    lines = str(error).splitlines()
    assert [single.field for single in error.errors] == [
        "kind",
        "networks[0].address",
        "physical.outside",
        "guests[1].mac",
        "promises[4].reach",
    ]
    markers = ["kind: router", "10.10.10.1 ", "192.168.2.10", "# again", "reach: no"]
    numbers = [line_of(file, marker) for marker in markers]
    assert numbers == sorted(numbers)
    for line, number in zip(lines, numbers, strict=True):
        assert line.startswith(f"{file}:{number}: ")
    assert (error.line, error.field) == (numbers[0], "kind")


def test_a_part_with_an_error_of_its_own_causes_no_other(tmp_path: Path) -> None:
    file = written(tmp_path, "nat", ("bridge: virbr1 ", "bridge: bridge-of-the-site "))
    assert [single.field for single in refused(file).errors] == ["networks[0].bridge"]


def test_an_uplink_needs_a_physical_network(tmp_path: Path) -> None:
    text = (FOLDER / "bridged.yaml").read_text(encoding="utf-8")
    head, rest = text.split("\nphysical:", 1)
    file = tmp_path / "site.yaml"
    file.write_text(
        f"{head}\nphysical: null\n\nguests:{rest.split('guests:', 1)[1]}", encoding="utf-8"
    )
    error = refused(file)
    assert [single.field for single in error.errors] == [
        "networks[0].uplink",
        "promises[3].to",
        "promises[4].from",
    ]
    assert error.line == line_of(file, "    uplink: eth1")
    assert "needs a physical network" in str(error)


@pytest.mark.slow
def test_whatever_line_is_lost_or_damaged_the_answer_is_a_data_error_or_a_topology(
    tmp_path: Path,
) -> None:
    file = tmp_path / "site.yaml"
    for base in ("nat1", "bridged-ovs"):
        lines = (FOLDER / f"{base}.yaml").read_text(encoding="utf-8").splitlines()
        for index, line in enumerate(lines):
            key = line.split(":", 1)[0]
            for damaged in ([], [f"{key}:"], [f"{key}: []"], [f"{key}: {{a: 1}}"], [f"{key}: -7"]):
                text = "\n".join([*lines[:index], *damaged, *lines[index + 1 :]])
                file.write_text(text, encoding="utf-8")
                try:
                    library.load(str(file))
                except DataError as error:
                    for single in error.errors:
                        assert single.file == file
                        assert single.line is not None
                        assert 1 <= single.line <= len(lines)
