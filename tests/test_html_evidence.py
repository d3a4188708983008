# SPDX-License-Identifier: GPL-2.0-or-later
"""Evidence in a page: what stands in it, what is cut, and what is left to a link."""

from pathlib import Path

import pytest

from reports.html.shown_evidence import FILE_BEGIN, FILE_MAX, EvidenceFiles, is_command, visible
from reports.record import EvidenceFile
from tests.html_run import C, N, V, check, record
from tests.records import kept


def read(folder: Path, *files: EvidenceFile, page_max: int = 1 << 20) -> EvidenceFiles:
    taken = EvidenceFiles(folder, page_max)
    taken.take(record([check("dhcp.a", C, "NT-05", evidence=files)]))
    return taken


def test_a_short_text_is_whole(tmp_path: Path) -> None:
    file = kept(tmp_path, "evidence/x.json", '{"a": "ä"}\n', "application/json")
    [shown] = read(tmp_path, file).of([file])
    assert (shown.begin, shown.cut, shown.why, shown.fault) == ('{"a": "ä"}\n', 0, "", "")
    assert shown.size == len('{"a": "ä"}\n'.encode())


def test_a_long_text_shows_both_ends_and_how_much_is_missing(tmp_path: Path) -> None:
    text = "".join(f"{number:07}\n" for number in range(FILE_MAX // 4))
    file = kept(tmp_path, "evidence/commands.txt", text)
    taken = read(tmp_path, file)
    [shown] = taken.of([file])
    assert shown.begin == text[:FILE_BEGIN]
    assert text.endswith(shown.end)
    assert shown.cut == len(text) - FILE_MAX == len(text) - len(shown.begin) - len(shown.end)
    assert taken.left_out == [shown]


def test_what_is_no_text_is_linked_and_not_called_left_out(tmp_path: Path) -> None:
    file = kept(tmp_path, "evidence/x.pcap", b"\x00\x01", "application/vnd.tcpdump.pcap")
    [shown] = read(tmp_path, file).of([file])
    assert shown.begin is None
    assert (shown.size, shown.href) == (2, "evidence/x.pcap")


def test_a_text_that_is_not_utf_8_is_still_shown(tmp_path: Path) -> None:
    file = kept(tmp_path, "evidence/console.txt", b"boot \xff\xfe\n")
    [shown] = read(tmp_path, file).of([file])
    assert shown.begin == "boot \ufffd\ufffd\n"


def test_what_did_not_conform_comes_first_when_a_page_is_full(tmp_path: Path) -> None:
    files = {
        name: kept(tmp_path, f"evidence/{name}.txt", name * 10) for name in ("good", "lack", "bad!")
    }
    run = record(
        [
            check("dhcp.a", C, "NT-05", evidence=(files["good"],)),
            check("dhcp.b", N, "NT-05", evidence=(files["lack"],)),
            check("dhcp.c", V, "NT-05", evidence=(files["bad!"],)),
        ]
    )
    taken = EvidenceFiles(tmp_path, page_max=80)
    taken.take(run)
    whole = [name for name, file in files.items() if taken.of([file])[0].begin is not None]
    assert whole == ["lack", "bad!"]
    [left] = taken.left_out
    assert (left.name, left.why) == ("good.txt", "this page has no more room for evidence")


def test_a_file_that_several_checks_name_is_read_once(tmp_path: Path) -> None:
    file = kept(tmp_path, "evidence/x.txt", "x" * 60)
    run = record([check(f"dhcp.{name}", C, "NT-05", evidence=(file,)) for name in "ab"])
    taken = EvidenceFiles(tmp_path, page_max=100)
    taken.take(run)
    assert not taken.left_out


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\n", "a\tb\n"),
        ("a\r\nb\r", "a\nb␍"),
        ("\x1b[1m\x07\x00", "␛[1m␇␀"),
        ("\u202egnp.exe", "‹U+202E›gnp.exe"),
        ("\x7f\x9b", "‹U+007F›‹U+009B›"),
        ("grüße 漢字 →", "grüße 漢字 →"),
    ],
)
def test_what_a_terminal_would_obey_is_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("line", "command"),
    [("[host]$ ip link", True), ("[1] done", False), ("$ ip link", False), ("", False)],
)
def test_commands_of_a_transcript_are_known(line: str, *, command: bool) -> None:
    assert is_command(line) is command
