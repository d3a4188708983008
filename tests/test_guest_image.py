# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest image in its cache and on its way to another machine."""

import io
import json
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.guest import image as images
from fixtures.guest.image import (
    Image,
    ImageError,
    build,
    deb_packages,
    kernel,
    modules,
    recipe,
    store,
)
from fixtures.guest.image.greeting import GreetedSocket
from launcher.cache import cache_dir

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def image() -> Image:
    found = images.cached()
    assert found is not None, "no guest image: ./plumbline test makes it first"
    return found


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLUMBLINE_CACHE", str(tmp_path / "cache"))
    return cache_dir()


@pytest.fixture
def exported(image: Image, tmp_path: Path) -> Path:
    file = tmp_path / "guest.tgz"
    images.export(image, file)
    return file


def rewrite(file: Path, changes: dict[str, bytes]) -> None:
    """Write an exported image again with members changed or added."""
    with tarfile.open(file) as archive:
        members = {
            member.name: stream.read()
            for member in archive
            if (stream := archive.extractfile(member)) is not None
        }
    with tarfile.open(file, "w:gz", compresslevel=1) as archive:
        for name, content in {**members, **changes}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def is_empty(cache: Path) -> bool:
    """Nothing but the lock is left."""
    return [path.name for path in (cache / "guest-image").iterdir()] == ["lock"]


# What is in it


@pytest.mark.host
def test_manifest_names_every_package_and_file(image: Image) -> None:
    names = {package["name"] for package in image.manifest["packages"]}
    assert {*recipe.PACKAGES, "libc6"} <= names
    for package in image.manifest["packages"]:
        assert package["version"]
        assert len(package["sha256"]) == 64
    for path in (image.kernel, image.initrd, image.tool):
        assert store.file_entry(path) == image.manifest["files"][path.name]
    assert image.manifest["recipe"] == image.key == images.recipe_key()


@pytest.mark.host
def test_it_is_small(image: Image, exported: Path) -> None:
    assert image.size <= 40 << 20
    assert exported.stat().st_size <= 40 << 20


def test_another_recipe_has_another_key(tmp_path: Path) -> None:
    folder = tmp_path / "recipe"
    folder.mkdir()
    files = tuple(Path(shutil.copy(file, folder)) for file in recipe.recipe_files())
    before = recipe.key_of(files)
    for file in files:
        content = file.read_bytes()
        file.write_bytes(content + b"\n")
        assert recipe.key_of(files) != before, file.name
        file.write_bytes(content)
    assert recipe.key_of(files) == before


def test_every_module_that_shapes_the_image_is_in_its_recipe() -> None:
    others = {
        "__init__",
        "__main__",
        "boot",
        "image_error",
        "greeting",
        "keyed",
        "portable",
        "build_command",
        "store",
    }
    mine = {path.stem for path in recipe.HERE.glob("*.py")}
    assert mine - others == {path.stem for path in recipe.recipe_files() if path.suffix == ".py"}


# Files of a run


def entries(archive: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Give name, mode and content of each member of a cpio archive (newc)."""
    at = 0
    while True:
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        if name == "TRAILER!!!":
            return
        content_at = at + 110 + name_size + -(110 + name_size) % 4
        yield name, mode, archive[content_at : content_at + size]
        at = content_at + size + -size % 4


@pytest.mark.host
def test_files_of_a_run_follow_the_image(image: Image, tmp_path: Path) -> None:
    before = image.initrd.read_bytes()
    target = tmp_path / "initrd"
    images.with_files(image, {"/root/.ssh/authorized_keys": (b"key\n", 0o600)}, target)
    joined = target.read_bytes()
    added_at = len(before) + -len(before) % 4
    assert joined[: len(before)] == before == image.initrd.read_bytes()
    added = {name: (mode, content) for name, mode, content in entries(joined[added_at:])}
    assert added["root/.ssh/authorized_keys"] == (0o100600, b"key\n")
    assert added["root/.ssh"][0] == 0o040700
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.host
def test_two_runs_get_other_random_numbers(image: Image, tmp_path: Path) -> None:
    for name in ("one", "two"):
        images.with_files(image, {}, tmp_path / name)
    assert (tmp_path / "one").read_bytes() != (tmp_path / "two").read_bytes()


# The cache


def test_nothing_is_cached_in_an_empty_cache(empty_cache: Path) -> None:
    assert images.cached() is None
    assert not empty_cache.exists()


@pytest.mark.host
def test_a_shortened_file_is_told(image: Image, empty_cache: Path) -> None:
    folder = empty_cache / "guest-image" / image.key
    shutil.copytree(image.kernel.parent, folder)
    with (folder / "initrd").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(ImageError, match=r"initrd is not \d+ bytes long") as caught:
        images.cached()
    assert str(folder) in caught.value.hint


@pytest.mark.host
def test_a_missing_manifest_is_told(image: Image, empty_cache: Path) -> None:
    folder = empty_cache / "guest-image" / image.key
    shutil.copytree(image.kernel.parent, folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(ImageError, match="is incomplete"):
        images.cached()


def test_a_cache_that_cannot_be_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PLUMBLINE_CACHE", str(tmp_path / "file"))
    with pytest.raises(ImageError, match="cannot be kept") as caught:
        build.build(print)
    assert "PLUMBLINE_CACHE" in caught.value.hint


@pytest.mark.usefixtures("empty_cache")
def test_a_failed_build_leaves_nothing() -> None:
    with store.locked():
        (store.images_dir() / "build-killed").mkdir()
        with pytest.raises(ZeroDivisionError), store.building() as work:
            (work / "half").write_text("")
            raise ZeroDivisionError
    assert is_empty(cache_dir())


def test_too_little_space_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="building it needs 1099511627776 MiB in") as caught:
        store.need_space(tmp_path, 1 << 60, "building it")
    assert "free some space" in caught.value.hint


@pytest.mark.usefixtures("empty_cache")
def test_without_apt_an_image_can_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageError, match="no apt-get") as caught:
        build.build(print)
    assert "import FILE" in caught.value.hint
    with pytest.raises(ImageError, match="built with") as caught:
        modules.need_tools()
    assert "gcc" in caught.value.message


def test_packages_that_apt_does_not_offer_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An apt with no sources at all: it offers nothing, and updating its lists changes nothing.
    empty = tmp_path / "apt.conf"
    empty.write_text(
        f'Dir::Etc::SourceList "/dev/null";\nDir::Etc::SourceParts "{tmp_path}/none";\n'
        f'Dir::State "{tmp_path}/state";\n'
    )
    (tmp_path / "none").mkdir()
    (tmp_path / "state" / "lists" / "partial").mkdir(parents=True)
    monkeypatch.setenv("APT_CONFIG", str(empty))
    said: list[str] = []
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(ImageError, match="apt offers no complete set") as caught:
        deb_packages.fetch(work, said.append)
    assert "dropbear-bin" in caught.value.hint
    assert any("fetching package lists" in line for line in said)


# The way to a guest


@pytest.mark.parametrize("size", [1, 3, 4096])
@pytest.mark.parametrize(
    "before", [b"", b"\r\n", b"\xdb\x00SSH-\n", b"for SSH-2.0-another\r\nSSH-2.0-dropbear\r\n" * 90]
)
def test_bytes_of_a_former_connection_are_dropped(before: bytes, size: int) -> None:
    near, far = socket.socketpair()
    with GreetedSocket(fileno=near.detach()) as stream, far:
        stream.settimeout(5)
        answer = f"for {stream.greeting}\r\n".encode()
        far.sendall(before + answer + b"SSH-2.0-dropbear\r\n\0\1")
        far.shutdown(socket.SHUT_WR)
        heard = b""
        while piece := stream.recv(size):
            assert len(piece) <= size
            heard += piece
    assert heard == b"SSH-2.0-dropbear\r\n\0\1"


def test_no_answer_is_a_timeout() -> None:
    near, far = socket.socketpair()
    with GreetedSocket(fileno=near.detach()) as stream, far:
        stream.settimeout(0.05)
        far.sendall(b"SSH-2.0-dropbear\r\n")
        with pytest.raises(TimeoutError):
            stream.recv(100)


# The kernel


def test_a_file_that_is_no_kernel_is_told(tmp_path: Path) -> None:
    file = tmp_path / "vmlinuz-0"
    file.write_bytes(bytes(4096))
    with pytest.raises(ImageError, match="vmlinuz-0 is not an x86 bzImage"):
        kernel.extract(file, tmp_path, tmp_path)


def elf(*headers: tuple[int, int, int, int, int]) -> bytes:
    """An ELF of program headers: type, offset, physical address, size in file and in memory."""
    head = bytearray(64)
    struct.pack_into("<Q", head, 32, 64)
    struct.pack_into("<H", head, 56, len(headers))
    packed = b"".join(
        struct.pack("<IIQQQQQQ", kind, 7, offset, 0, address, size, memory, 1)
        for kind, offset, address, size, memory in headers
    )
    return bytes(head) + packed


def test_a_kernel_is_laid_out_as_in_memory() -> None:
    note = struct.pack("<III4sQ", 4, 8, 18, b"Xen\0", 0x1000010)
    body_at = 64 + 3 * 56
    content = elf(
        (1, body_at, 0x1000000, 4, 8),
        (1, body_at + 4, 0x1000010, 6, 0x1000),
        (4, body_at + 10, 0, len(note), len(note)),
    )
    flat = kernel.flatten(content + b"textdata\0\0" + note)
    assert flat == kernel.Flat(0x1000000, b"text" + bytes(12) + b"data", 0x1001010, 0x1000010)


def test_a_kernel_without_pvh_entry_is_told() -> None:
    with pytest.raises(ImageError, match="no PVH entry point"):
        kernel.flatten(elf((1, 120, 0x1000000, 4, 4)) + b"text")


# One file


@pytest.mark.host
def test_export_and_import_give_the_same_image(
    image: Image, exported: Path, empty_cache: Path
) -> None:
    taken = images.import_(exported)
    assert taken.kernel.is_relative_to(empty_cache)
    assert (taken.key, taken.manifest) == (image.key, image.manifest)
    for here, there in ((image.kernel, taken.kernel), (image.initrd, taken.initrd)):
        assert here.read_bytes() == there.read_bytes()
    assert taken.tool.stat().st_mode & 0o111
    assert images.cached() == taken == images.import_(exported)


@pytest.mark.host
@pytest.mark.parametrize("name", ["kernel", "initrd", "plumbline-probe"])
def test_a_changed_file_is_refused_by_its_name(
    name: str, image: Image, exported: Path, empty_cache: Path
) -> None:
    content = bytearray((image.kernel.parent / name).read_bytes())
    content[len(content) // 2] ^= 1
    rewrite(exported, {name: bytes(content)})
    with pytest.raises(ImageError, match=f"^{name} in .*SHA-256"):
        images.import_(exported)
    assert is_empty(empty_cache)


@pytest.mark.host
def test_an_image_of_another_recipe_is_kept_but_not_used(
    image: Image, exported: Path, empty_cache: Path
) -> None:
    other = {**image.manifest, "recipe": "0123456789abcdef"}
    rewrite(exported, {"manifest.json": json.dumps(other).encode()})
    taken = images.import_(exported)
    assert taken.key == "0123456789abcdef"
    assert taken.kernel.parent == empty_cache / "guest-image" / taken.key
    assert images.cached() is None


@pytest.mark.host
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"manifest.json": b"{"}, "incomplete"),
        ({"manifest.json": b"[]"}, "incomplete"),
        ({"manifest.json": b"{}"}, "incomplete"),
        ({"../outside": b"x"}, r"a member \.\./outside"),
    ],
)
def test_what_is_no_image_is_refused(
    changes: dict[str, bytes], told: str, exported: Path, empty_cache: Path
) -> None:
    rewrite(exported, changes)
    with pytest.raises(ImageError, match=f"not an exported guest image: .*{told}"):
        images.import_(exported)
    assert is_empty(empty_cache)
    assert not (empty_cache / "outside").exists()


@pytest.mark.host
def test_a_recipe_that_is_a_path_is_refused(
    image: Image, exported: Path, empty_cache: Path
) -> None:
    other = {**image.manifest, "recipe": "../../elsewhere"}
    rewrite(exported, {"manifest.json": json.dumps(other).encode()})
    with pytest.raises(ImageError, match="its recipe is named"):
        images.import_(exported)
    assert is_empty(empty_cache)


@pytest.mark.host
def test_a_shortened_export_is_refused(exported: Path, empty_cache: Path) -> None:
    content = exported.read_bytes()
    exported.write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError, match="not an exported guest image"):
        images.import_(exported)
    assert is_empty(empty_cache)


@pytest.mark.usefixtures("empty_cache")
def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nothing\.tgz is not an exported guest image"):
        images.import_(tmp_path / "nothing.tgz")


@pytest.mark.host
def test_an_export_that_cannot_be_written_is_told(image: Image, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot be written"):
        images.export(image, tmp_path / "nowhere" / "guest.tgz")
    assert not list(tmp_path.iterdir())


@pytest.mark.host
@pytest.mark.parametrize("way", [["plumbline", "image"], ["-m", "fixtures.guest.image"]])
@pytest.mark.usefixtures("image")
def test_an_export_replaces_a_file_only_when_told_to(way: list[str], tmp_path: Path) -> None:
    file = tmp_path / "guest.tgz"
    file.write_text("somebody's own")

    def export(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, *way, "export", str(file), *words]
        return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)

    refused = export()
    assert refused.returncode == (4 if way[0] == "plumbline" else 1)
    assert "the file exists" in refused.stderr
    assert "--force" in refused.stderr
    assert file.read_text() == "somebody's own"
    assert export("--force").returncode == 0
    assert tarfile.is_tarfile(file)


@pytest.mark.parametrize("way", [["plumbline", "image"], ["-m", "fixtures.guest.image"]])
@pytest.mark.usefixtures("empty_cache")
def test_what_is_no_image_is_told_with_the_command_that_makes_one(
    way: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "guest.tgz"
    file.write_text("no archive")
    argv = [sys.executable, *way, "import", str(file)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "./plumbline image export FILE" in done.stderr
