# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline image`: manages the guest image, for machines without a network or apt."""

from collections.abc import Sequence
from pathlib import Path

from contracts.exit_codes import EXIT_MISSING_CAPABILITY
from fixtures.guest import image
from launcher import setup
from launcher.arguments import Parser, one_of
from launcher.cache import MIB
from launcher.launcher_error import LauncherError, UsageError
from launcher.progress import Progress

EXAMPLES = (
    ("./plumbline image build", "build it, if it is not cached"),
    ("./plumbline image info", "path, sizes and number of packages of the cached one"),
    ("./plumbline image export guest.tar", "write it to one file ..."),
    ("./plumbline image import guest.tar", "... and read that in on another machine"),
)
NEED_A_FILE = ("export", "import")


def parser() -> Parser:
    """Return the parser of `image`."""
    own = Parser("image", "Build, show, export or import the guest image.", EXAMPLES)
    own.add_argument(
        "action", type=one_of("build", "info", *NEED_A_FILE), metavar="build|info|export|import"
    )
    own.add_argument("file", nargs="?", type=Path, metavar="FILE", help="for export and import")
    own.add_argument("--force", action="store_true", help="export: replace an existing file")
    return own


def main(argv: Sequence[str]) -> int:
    """Build, show, export or import the image."""
    options = parser().parse(argv)
    file: Path | None = options.file
    if (options.action in NEED_A_FILE) != (file is not None):
        needs = "needs a FILE" if file is None else "takes no FILE"
        raise UsageError(f"image {options.action} {needs}", "see ./plumbline image --help")
    if options.force and options.action != "export":
        raise UsageError(f"image {options.action} takes no --force", "see ./plumbline image --help")
    try:
        return _act(options.action, file, force=options.force)
    except image.ImageError as error:
        raise LauncherError(error.message, error.hint) from error


def _act(action: str, file: Path | None, *, force: bool) -> int:
    if action == "build":
        if setup.cached_image() is None:
            setup.ensure_image_packages()
        print(describe(setup.ensure_image(Progress())))
    elif action == "import" and file is not None:
        if not file.is_file():
            raise UsageError(
                f"image import {file}: there is no such file",
                "name a file that ./plumbline image export wrote",
            )
        print(describe(image.import_(file)))
    else:
        cached = image.cached()
        if cached is None:
            print("no guest image of this version is cached; ./plumbline image build makes it")
            return EXIT_MISSING_CAPABILITY
        if file is not None:
            if file.exists() and not force:
                raise UsageError(
                    f"image export {file}: the file exists", "name a new file, or add --force"
                )
            image.export(cached, file, force=force)
            print(f"{file}: {file.stat().st_size / MIB:.1f} MiB")
        else:
            print(describe(cached))
    return 0


def describe(cached: image.Image) -> str:
    """Return an image's path, sizes and number of packages."""
    sizes = [file.stat().st_size / MIB for file in (cached.kernel, cached.initrd)]
    return (
        f"guest image {cached.key} in {cached.kernel.parent}\n"
        f"kernel {sizes[0]:.1f} MiB, initramfs {sizes[1]:.1f} MiB, "
        f"from {len(cached.manifest['packages'])} packages (manifest.json has versions and hashes)"
    )
