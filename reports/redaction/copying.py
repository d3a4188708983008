# SPDX-License-Identifier: GPL-2.0-or-later
"""A copy of a run without what may identify the site; docs/bundle.md lists what that is."""

import hashlib
import json
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import JsonValue

from reports.files.intact import evidence
from reports.record import Evidence, RunRecord, save
from reports.redaction.addresses import Addresses
from reports.redaction.capture import NotACaptureError, redacted
from reports.redaction.findings import Findings
from reports.redaction.text import Texts

PCAP = "application/vnd.tcpdump.pcap"
TEXTS = ("text/", "application/json", "application/xml")
# Fields of a record that are names of the harness's own, or hashes.
_OWN = {"schema", "sha256", "media_type", "verdict", "outcome", "started", "finished", "commit"}


def redact(
    record: RunRecord, folder: Path, copy: Path, words: Sequence[str]
) -> tuple[RunRecord, Findings]:
    """Make a redacted copy of a run: its record, and every file that the record names.

    A file that cannot be redacted is replaced by a line that says so.

    Args:
        record: the run.
        folder: where its run.json and evidence are.
        copy: an empty folder to make the copy in.
        words: what else is to be replaced, such as a name of the site's.

    Returns:
        The record of the copy, and what was found.
    """
    findings = Findings()
    addresses = Addresses(findings)
    texts = Texts(findings, addresses, words)
    texts.keep(str(record.id))
    whole = record.model_dump(mode="json", by_alias=True)
    said = list(_strings(whole))
    texts.learn([*said, *_read_texts(record, folder)], socket.gethostname())
    files = {
        file.path: _copied(file, folder, copy, texts, addresses, findings)
        for file in evidence(record)
    }
    new = {name: _replaced(part, texts, files) for name, part in whole.items()}
    new["redacted"] = True
    # The run's own id, times and schema are not names of anything.
    new |= {name: whole[name] for name in _OWN & set(whole)}
    new_record = RunRecord.model_validate_json(json.dumps(new))
    save(new_record, copy / "run.json")
    return new_record, findings


def _copied(
    file: Evidence,
    folder: Path,
    copy: Path,
    texts: Texts,
    addresses: Addresses,
    findings: Findings,
) -> dict[str, JsonValue]:
    """Write one redacted file, and return what the record says of it."""
    content = (folder / file.path).read_bytes()
    media_type = file.media_type
    path = texts.redact(file.path)
    try:
        if file.media_type == PCAP:
            content = redacted(content, addresses)
            findings.captures += 1
        elif file.media_type.startswith(TEXTS):
            content = texts.redact(content.decode("utf-8")).encode()
        else:
            raise NotACaptureError(f"{file.media_type} cannot be redacted")
    except (NotACaptureError, UnicodeDecodeError) as error:
        why = str(error) if isinstance(error, NotACaptureError) else "not text in UTF-8"
        findings.left_out[path] = why
        content = f"left out of a redacted run: {len(content)} octets: {why}\n".encode()
        media_type = "text/plain"
    place = copy / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return {
        "name": texts.redact(file.name),
        "media_type": media_type,
        "path": path,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _read_texts(record: RunRecord, folder: Path) -> Iterator[str]:
    for file in evidence(record):
        if file.media_type.startswith(TEXTS):
            yield (folder / file.path).read_bytes().decode("utf-8", "replace")


def _strings(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from _strings(each)


def _replaced(value: JsonValue, texts: Texts, files: dict[str, dict[str, JsonValue]]) -> JsonValue:
    """Return a part of a record with its texts redacted, and its evidence as it was written."""
    if isinstance(value, str):
        return texts.redact(value)
    if isinstance(value, list):
        return [_replaced(each, texts, files) for each in value]
    if not isinstance(value, dict):
        return value
    if "sha256" in value and isinstance(path := value.get("path"), str):
        return files[path]
    return {
        texts.redact(name): each if name in _OWN else _replaced(each, texts, files)
        for name, each in value.items()
    }
