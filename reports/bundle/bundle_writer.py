# SPDX-License-Identifier: GPL-2.0-or-later
"""A run to hand over: report, record and evidence in one archive, with a manifest of hashes.

The manifest is what `sha256sum --check` reads, and its signature what `ssh-keygen -Y verify` does:
so a bundle can be verified without Plumbline.
"""

import hashlib
from pathlib import Path

from contracts.run_files import EVIDENCE, PAGE, RECORD
from reports.bundle import archive
from reports.bundle.signature import sign
from reports.evidence_integrity import evidence, sha256
from reports.record import RunRecord
from reports.redaction.redaction_report import RedactionReport
from reports.report_error import ReportError

MANIFEST = "MANIFEST.sha256"
SIGNATURE = "MANIFEST.sha256.sig"
REDACTION = "REDACTION.txt"
_OWN = {MANIFEST, SIGNATURE, RECORD, PAGE, REDACTION}


def top_folder(record: RunRecord) -> str:
    """Return the one folder that everything of a bundle is in."""
    return f"plumbline-{record.started:%Y-%m-%dT%H-%M-%SZ}-{str(record.id)[:8]}"


def write(
    target: Path,
    record: RunRecord,
    folder: Path,
    findings: RedactionReport | None,
    key: Path | None,
) -> None:
    """Write a bundle; the file is there when it is whole, or not at all.

    Args:
        target: the file; one that is there is replaced.
        record: the run.
        folder: where its run.json and evidence are.
        findings: redaction's replacements, if there was one.
        key: the SSH key to sign with, if any.

    Raises:
        ReportError: it cannot be written or signed, or a file's name cannot be in one.
    """
    # Imported here: only a bundle and the HTML page itself need templates and drawings.
    from reports.html.report_page import render

    for file in evidence(record):
        if file.path.partition("/")[0] in _OWN:
            raise ReportError(
                f"{file.path!r}: evidence with the name of a file that a bundle has itself",
                f"no run of Plumbline keeps it there: expected a path below {EVIDENCE}/",
            )
    files: dict[str, Path | bytes] = {
        PAGE: render(record, folder).encode(),
        RECORD: folder / RECORD,
        **{file.path: folder / file.path for file in evidence(record)},
    }
    if findings is not None:
        files[REDACTION] = "".join(f"{line}\n" for line in findings.lines()).encode()
    listed = manifest(files)
    sealed: dict[str, Path | bytes] = {MANIFEST: listed}
    if key is not None:
        sealed[SIGNATURE] = sign(listed, key)
    sealed |= dict(sorted(files.items()))
    top = top_folder(record)
    _put(target, {f"{top}/{path}": source for path, source in sealed.items()})


def manifest(files: dict[str, Path | bytes]) -> bytes:
    """Return the hashes of files, sorted by path, as `sha256sum` writes them."""
    for path in files:
        if not archive.is_path(path):
            raise ReportError(f"{path!r}: no name for a file in a bundle", "rename it")
    hashes = {
        path: sha256(source) if isinstance(source, Path) else hashlib.sha256(source).hexdigest()
        for path, source in files.items()
    }
    return "".join(f"{known}  {path}\n" for path, known in sorted(hashes.items())).encode()


def _put(target: Path, files: dict[str, Path | bytes]) -> None:
    draft = target.with_name(f".{target.name}.part")
    try:
        with draft.open("wb") as file:
            archive.write(file, files)
        draft.replace(target)
    except OSError as error:
        raise ReportError(
            f"--bundle {target}: cannot be written: {error.strerror}", "name another file"
        ) from error
    finally:
        draft.unlink(missing_ok=True)
