# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline pack`: one archive that installs and runs on a host without a network."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from contracts import ssh_signature
from launcher.arguments import Parser
from launcher.cache import MIB
from launcher.launcher_error import UsageError

EXAMPLES = (
    ("./plumbline pack", "harness, wheels and guest image in one file"),
    ("./plumbline pack --with-packages", "and the system packages of this release"),
    ("./plumbline pack --sign ~/.ssh/id_ed25519", "signed with an SSH key"),
    ("./plumbline pack --output packs/", "into this folder"),
)


def parser() -> Parser:
    """Return the parser of `pack`'s options."""
    own = Parser("pack", "Write one archive for hosts without a network.", EXAMPLES)
    own.add_argument(
        "--output",
        type=Path,
        default=Path(),
        metavar="FILE|DIR",
        help="the archive (.tar.gz), or the folder for it; default: the current folder",
    )
    own.add_argument("--sign", type=Path, metavar="KEY", help="sign it with this SSH key")
    own.add_argument(
        "--with-packages",
        action="store_true",
        help="carry the system packages of a run too, from this machine's apt",
    )
    own.add_argument("--force", action="store_true", help="replace an existing file")
    return own


def main(argv: Sequence[str]) -> int:
    """Make the pack, and print what is in it."""
    options = parser().parse(argv)
    # Imported here: --help needs none of it.
    from launcher import setup, unpacked
    from launcher.packing import harness_files, pack_builder
    from launcher.progress import Progress

    if unpacked.pack() is not None:
        raise UsageError(
            "pack: this harness is in a pack already", "copy that pack, or make one in a clone"
        )
    version = unpacked.identity().version
    target = _target(options, f"{pack_builder.name(version)}.tar.gz")
    _require_signing(options.sign)
    harness = harness_files.harness(pack_builder.ROOT)
    progress = Progress()
    setup.ensure_environment()
    if setup.cached_image() is None:
        setup.ensure_image_packages()
    facts = pack_builder.build(
        target,
        version,
        harness,
        setup.ensure_image(progress),
        progress,
        with_packages=options.with_packages,
    )
    print(f"{target}: {target.stat().st_size / MIB:.0f} MiB")
    print(f"for Python {facts.python} on {facts.machine}, glibc {facts.glibc} or newer")
    if facts.system is None:
        print("without system packages: a host needs them from its distribution (--with-packages)")
    else:
        print(f"with the system packages of {facts.system}")
    print(f"checksum: {pack_builder.write_checksum(target)}")
    if options.sign is None:
        print("not signed: the checksum shows damage, and not who made it (--sign KEY)")
    else:
        print(f"signature: {pack_builder.write_signature(target, options.sign)}")
    if harness.changed:
        shown = "\n  ".join(harness.changed)
        print(
            "the harness is not as committed: changed files (M) are in the pack, untracked ones "
            f"(??) are not:\n  {shown}",
            file=sys.stderr,
        )
    return 0


def _target(options: argparse.Namespace, name: str) -> Path:
    """Return the file to write.

    Raises:
        UsageError: it is there, or no file can be there.
    """
    output: Path = options.output
    target = output / name if output.is_dir() else output
    if not target.name.endswith(".tar.gz"):
        raise UsageError(
            f"pack: --output {output}: neither a folder nor a name ending in .tar.gz",
            f"make the folder first, or name a file: --output {name}",
        )
    if not target.parent.is_dir():
        raise UsageError(f"pack: --output {output}: there is no folder {target.parent}", "make it")
    if target.exists() and not options.force:
        raise UsageError(f"pack: {target}: the file exists", "name a new file, or add --force")
    return target


def _require_signing(key: Path | None) -> None:
    """Check before the minutes of work that a pack can be signed.

    Raises:
        UsageError: it cannot.
    """
    if key is None:
        return
    if not key.is_file():
        raise UsageError(f"pack: --sign {key}: there is no such file", "name an SSH key")
    try:
        ssh_signature.ssh_keygen()
    except ssh_signature.SigningError as error:
        raise UsageError(f"pack: --sign {key}: {error.message}", error.hint) from error
