# SPDX-License-Identifier: GPL-2.0-or-later
"""A copy of a run without data that may identify the site; docs/bundle.md lists them."""

import contextlib
import hashlib
import itertools
import json
import socket
from collections.abc import Container, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from pydantic import BaseModel, JsonValue

from contracts.run_files import RECORD
from reports.evidence_integrity import evidence
from reports.record import EvidenceFile, RunRecord, save
from reports.redaction.address_replacement import Addresses
from reports.redaction.capture_redaction import NotACaptureError, redacted
from reports.redaction.redaction_report import RedactionReport
from reports.redaction.text_redaction import Texts
from reports.waiver import Waiver
from reports.waivers import with_waivers

PCAP = "application/vnd.tcpdump.pcap"
TEXTS = ("text/", "application/json", "application/xml")
# Fields whose words identify no site, though their type is that of any text.
_OWN = {"sha256", "media_type", "commit", "version", "unit"}


def redact(
    record: RunRecord,
    folder: Path,
    copy: Path,
    words: Sequence[str],
    further: Sequence[Waiver] = (),
) -> tuple[RunRecord, RedactionReport]:
    """Make a redacted copy of a run: its record, and every file that the record names.

    A file that cannot be redacted is replaced by one line with the reason.

    Args:
        record: the run.
        folder: where its run.json and evidence are.
        copy: an empty folder to make the copy in.
        words: further words to replace, such as a name of the site's.
        further: waivers of the report alone: they are redacted, and not written into the copy.

    Returns:
        The record of the copy, with the further waivers, and what was found.
    """
    own = len(record.waivers)
    record = with_waivers(record, further)
    findings = RedactionReport()
    addresses = Addresses(findings)
    texts = Texts(findings, addresses, words)
    texts.keep(str(record.id))
    said = list(_strings(record.model_dump(mode="json", by_alias=True)))
    texts.learn([*said, *_read_texts(record, folder)], socket.gethostname())
    files = {
        file.path: _copied(file, folder, copy, texts, addresses, findings)
        for file in evidence(record)
    }
    new_record = RunRecord(**_fields(record, texts, files) | {"redacted": True})
    save(new_record.model_copy(update={"waivers": new_record.waivers[:own]}), copy / RECORD)
    return new_record, findings


def _copied(
    file: EvidenceFile,
    folder: Path,
    copy: Path,
    texts: Texts,
    addresses: Addresses,
    findings: RedactionReport,
) -> EvidenceFile:
    """Write one redacted file, and return its entry in the record."""
    content = (folder / file.path).read_bytes()
    media_type = file.media_type
    path = _free(texts.redact(file.path), copy)
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
    return EvidenceFile(
        name=texts.redact(file.name),
        media_type=media_type,
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _free(path: str, copy: Path) -> str:
    """Return where a file can be written: the names of two may be redacted to the same."""
    place = PurePosixPath(path)
    paths = (str(place.with_stem(f"{place.stem}-{number}")) for number in itertools.count(2))
    return next(each for each in itertools.chain([path], paths) if not (copy / each).exists())


def _read_texts(record: RunRecord, folder: Path) -> Iterator[str]:
    for file in evidence(record):
        if file.media_type.startswith(TEXTS):
            text = (folder / file.path).read_bytes().decode("utf-8", "replace")
            yield text
            if file.media_type == "application/json":
                # A pattern at the begin of a line shows names; raw JSON has no such lines.
                with contextlib.suppress(ValueError):
                    yield from _strings(json.loads(text))


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


def _fields(part: BaseModel, texts: Texts, files: dict[str, EvidenceFile]) -> dict[str, Any]:
    """Return the fields of a part of a record, redacted where their type allows any text.

    A word of a choice, such as a node's kind, is no name, even where it is spelt like one.
    """
    return {
        name: _replaced(getattr(part, name), texts, files)
        if name not in _OWN and _holds_text(field.annotation)
        else getattr(part, name)
        for name, field in type(part).model_fields.items()
    }


def _holds_text(annotation: Any) -> bool:
    if annotation is str or annotation is JsonValue:
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(_holds_text(each) for each in get_args(annotation))


def _replaced(value: Any, texts: Texts, files: dict[str, EvidenceFile]) -> Any:
    """Return a value with its texts redacted, and its evidence as it was written."""
    if isinstance(value, str):
        return texts.redact(value)
    if isinstance(value, list | tuple):
        return [_replaced(each, texts, files) for each in value]
    if isinstance(value, EvidenceFile):
        return files[value.path]
    if isinstance(value, BaseModel):
        return type(value)(**_fields(value, texts, files))
    if not isinstance(value, dict):
        return value
    new: dict[str, Any] = {}
    for name, each in value.items():
        new[_apart(texts.redact(name), new)] = _replaced(each, texts, files)
    return new


def _apart(name: str, taken: Container[str]) -> str:
    """Return a name that nothing else has: two may be redacted to the same."""
    names = (f"{name} ({number})" for number in itertools.count(2))
    return name if name not in taken else next(each for each in names if each not in taken)
