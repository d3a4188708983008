# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that are no topology at all: missing, unreadable, not YAML, empty, hostile."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from topologies import yaml_reader
from topologies.data_error import DataError

ROOT = Path(__file__).resolve().parent.parent
BOMB = "\n".join(
    f"{key}: &{key} [{', '.join([value] * 20)}]"
    for key, value in zip("abcdefgh", ["x", *(f"*{key}" for key in "abcdefg")], strict=True)
)

# id: the file's bytes, the line, the field, parts of the message
CASES: dict[str, tuple[bytes, int | None, str | None, list[str]]] = {
    "empty": (b"", 1, None, ["the file is empty", "schema"]),
    "only a comment": (b"# nothing\n", 1, None, ["the file is empty"]),
    "a list": (b"# x\n- a\n- b\n", 2, None, ["holds a list", "expected a mapping"]),
    "a single value": (b"hello\n", 1, None, ["holds a single value", "expected a mapping"]),
    "null": (b"null\n", 1, None, ["expected a mapping"]),
    "bracket": (b"a: 1\nb: [1, 2\nc: 3\n", 3, None, ["not YAML (column 2)", "brackets"]),
    "quote": (b'a: 1\nb: "x\n', 3, None, ["not YAML", "quotes"]),
    "tab": (b"a: 1\nb:\n\tc: 1\n", 3, None, ["not YAML (column 1)", "spaces, not tabs"]),
    "two documents": (b"a: 1\n---\nb: 1\n", 2, None, ["not YAML", "one document per file"]),
    "undefined alias": (b"a: 1\nb: *c\n", 2, None, ["undefined alias"]),
    "control character": (b"a: 1\nb: x\x00\n", 2, None, ["U+0000"]),
    "not UTF-8": (b"a: 1\nb: \xe9\n", 2, None, ["byte 0xe9", "UTF-8"]),
    "key twice": (b"a: 1\nb: 2\na: 3\n", 3, "a", ["here again, first on line 1"]),
    "key twice within": (b"a:\n  - b: 1\n    b: 2\n", 3, "a[0].b", ["first on line 2"]),
    "key that is a list": (b"a:\n  ? [b]\n  : c\n", 2, "a", ["the key is a list"]),
    "tag": (b"a: !!python/name:os.system x\n", 1, "a", ["tag", "remove the tag"]),
    "tag that does not fit": (b"a: 1\nb: !!int x\n", 2, "b", ['"x" does not fit']),
    "truth value that is none": (b"a: !!bool x\n", 1, "a", ['"x" does not fit']),
    "alias of itself": (b"a: 1\nb: &c [*c]\n", 2, "b[0]", ["part of"]),
    "nested deeply": (b"a: " + b"[" * 2000, None, None, ["nested"]),
    "aliases that multiply": (BOMB.encode(), 1, None, ["more than 20000 values"]),
    "too large": (b"#" * 1_000_001, None, None, ["1000001 bytes", "check the name of the file"]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(case: str, tmp_path: Path) -> None:
    content, line, field, parts = CASES[case]
    file = tmp_path / "site.yaml"
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        yaml_reader.read(file)
    error = caught.value
    assert (error.file, error.line) == (file, line)
    if case != "aliases that multiply":  # there the field is wherever the count ran out
        assert error.field == field
    assert str(error).startswith(f"{file}:{line}: " if line else f"{file}: ")
    for part in parts:
        assert part in str(error)


def test_every_repeated_key_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("a: 1\na: 2\nb: {c: 1, c: 2}\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        yaml_reader.read(file)
    assert [(e.line, e.field) for e in caught.value.errors] == [(2, "a"), (3, "b.c")]


def test_values_are_read_by_yaml_1_2(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(
        "\ufeffmac: 52:54:00:12:34:56\ndecimal: 12:34:56\nswitch: on\nday: 2024-01-01\n"
        'truth: true\nnothing: ~\nwhole: 0x10\nreal: 1.5\nquoted: "1"\nlist: &x [a]\nagain: *x\n',
        encoding="utf-8",
    )
    assert yaml_reader.read(file).data == {
        "mac": "52:54:00:12:34:56",
        "decimal": "12:34:56",
        "switch": "on",
        "day": "2024-01-01",
        "truth": True,
        "nothing": None,
        "whole": 16,
        "real": 1.5,
        "quoted": "1",
        "list": ["a"],
        "again": ["a"],
    }


def test_a_mac_of_decimal_digits_is_a_number_in_a_file_that_asks_for_yaml_1_1(
    tmp_path: Path,
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("%YAML 1.1\n---\nmac: 52:54:00:12:34:56\n", encoding="utf-8")
    assert yaml_reader.read(file).data == {"mac": 41135085296}


def test_lines_are_those_of_the_keys_and_entries(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("a:\n\n  - b: 1\n    c:\n      d: 2\n  - e\nf: >-\n  text\n", encoding="utf-8")
    document = yaml_reader.read(file)
    assert document.line(("a",)) == 1
    assert document.line(("a", 0, "b")) == 3
    assert document.line(("a", 0, "c", "d")) == 5
    assert document.line(("a", 1)) == 6
    assert document.line(("f",)) == 7
    assert document.line(("a", 0, "missing")) == 3
    assert document.line(("missing",)) == 1


def test_a_missing_file_is_named_as_the_user_named_it() -> None:
    with pytest.raises(DataError) as caught:
        yaml_reader.read(Path("no/such/site.yaml"))
    assert str(caught.value).startswith("no/such/site.yaml: no such file")
    assert str(Path.cwd()) in caught.value.hint


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="this is a folder"):
        yaml_reader.read(tmp_path)


def test_a_file_in_the_way_of_a_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be read: Not a directory"):
        yaml_reader.read(tmp_path / "file" / "site.yaml")


def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("a: 1\n", encoding="utf-8")
    file.chmod(0)
    if os.geteuid() != 0:
        with pytest.raises(DataError, match="cannot be read: Permission denied"):
            yaml_reader.read(file)
        return
    # Root reads whatever it likes: ask in a process that has given that up. It starts in the
    # file's folder, for the folders above are closed to it.
    tmp_path.chmod(0o755)
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from topologies import data_error, yaml_reader\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: yaml_reader.read(Path('site.yaml'))\n"
        "except data_error.DataError as error: print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(ROOT)],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout.startswith("site.yaml: cannot be read: Permission denied"), result.stderr
