# SPDX-License-Identifier: GPL-2.0-or-later
"""A run on a machine itself, which is a lab here: what is left of it when it is killed."""

import contextlib
import json
import os
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.host import journal, local_cleanup
from fixtures.host.journal import JournalBroken, Run
from fixtures.host.undo.kernel_undos import FolderRemove
from fixtures.host.undo.link_undos import LinkDelete
from launcher import setup
from launcher.cache import cache_dir
from launcher.lab import disk_image, lab_machine, qemu
from launcher.lab.job import Share
from launcher.lab.lab_parts import PATH, set_up
from launcher.progress import Progress
from tests.launched import ROOT

# libvirt as a package has it: QEMU runs as a user of its own. What is on the machine is written
# down before the runs, while one stands, and after each; the loops are bounded.
SCRIPT = """\
cd "$FOLDER"
sed -i '/^user/d; /^group/d; /^stdio_handler/d' /etc/libvirt/qemu.conf
former=$(cat /run/libvirtd.pid)
kill "$former"
virtlogd -d
# Its last act is to remove its sockets: those of the next one, if that is there already.
round=0
while kill -0 "$former" && [ $((round += 1)) -lt 300 ]; do sleep 0.2; done
libvirtd -d
round=0
until virsh -q list || [ $((round += 1)) -gt 100 ]; do sleep 0.2; done
journal=/var/lib/plumbline/journal
state() {
    # The kernel's bonding has a file there, which is no link.
    for link in /sys/class/net/*/; do echo "$link is up: $(($(cat "$link/flags") & 1))"; done
    ip -4 -o address | sed 's/^[0-9]*: //'
    ip netns list
    virsh -q list --all --name
    virsh -q net-list --all --name
    cat /sys/class/net/*/device/sriov_numvfs
    ls -d /run/plumbline $journal
    pgrep -f 'plumbline-prob[e]|dnsmas[q]|qemu-syste[m]'
}
run() {
    exec python3 -P -m pytest -p no:cacheprovider -c "$ROOT/pyproject.toml" \
        --rootdir "$ROOT" "$ROOT/suites" --host=local --topology=passthrough \
        --pf=$PF --peer-nic=$WIRE --spare-nic=$WHOLE "$@"
}
decided() {
    round=0
    until grep -qs '"conforms"' $1/run.json || [ $((round += 1)) -gt 600 ]; do sleep 0.5; done
}
# A NIC that is up is up again after all of it.
ip link set $WIRE up
udevadm settle
state >before 2>/dev/null

(run --claim=PT-03 --output="$FOLDER/whole" >whole.said 2>&1)
echo $? >whole.status
state >after-whole 2>/dev/null

run --claim=PT-10 --output="$FOLDER/killed" >killed.said 2>&1 &
decided killed
state >meanwhile 2>/dev/null
kill -KILL $!
round=0
while [ -e $journal ] && [ $((round += 1)) -lt 200 ]; do sleep 0.5; done
state >after-killed 2>/dev/null
cp /var/lib/plumbline/taken-down.log .

run --claim=PT-10 --output="$FOLDER/both" >both.said 2>&1 &
decided both
pkill -KILL -f fixtures.host.local_cleanup
kill -KILL $!
sleep 1
python3 "$ROOT/plumbline" clean --dry-run >dry.said 2>&1
python3 "$ROOT/plumbline" clean >clean.said 2>&1
state >after-both 2>/dev/null
python3 "$ROOT/plumbline" clean >again.said 2>&1
"""


@pytest.mark.lab
def test_nothing_is_left_however_a_run_ends(tmp_path: Path) -> None:
    set_up("trixie")
    progress = Progress()
    guest_image = setup.cached_image()
    assert guest_image is not None
    disk = disk_image.ensure("trixie", progress)
    script = tmp_path / "script"
    script.write_text(SCRIPT)
    environment = {
        "PATH": PATH,
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "ROOT": str(ROOT),
        "PF": qemu.PF,
        "WIRE": qemu.PEER_NIC,
        "WHOLE": qemu.SPARE_NIC,
        "FOLDER": str(tmp_path),
        "PLUMBLINE_CACHE": str(cache_dir().resolve()),
        "PYTHONPYCACHEPREFIX": str(disk.compiled),
    }
    shares = [
        Share("folder0", ROOT),
        Share("folder1", guest_image.kernel.parent.resolve()),
        Share("folder2", tmp_path, writable=True),
    ]
    plan = lab_machine.Plan(
        image=disk,
        accel="tcg",
        shares=shares,
        command=["sh", str(script)],
        environment=environment,
        folder=tmp_path,
        console=tmp_path / "console.txt",
    )
    lab_machine.run(plan, qemu.emulator(progress), progress)
    said = {file.name: file.read_text() for file in tmp_path.iterdir() if file.is_file()}
    before, meanwhile = said["before"], said["meanwhile"]
    for made in ("kvm1", "passthrough_net", "outside", "10.213.0.2/24", "plumbline/journal"):
        assert made in meanwhile, said["killed.said"]
        assert made not in before
    assert said["whole.status"] == "0\n", said["whole.said"]
    assert said["after-whole"] == before, said["whole.said"]
    assert said["after-killed"] == before, said["taken-down.log"]
    assert "libvirt's domain plumb1-kvm1" in said["taken-down.log"]
    assert f"link {qemu.PEER_NIC}, from plumb1-lan" in said["taken-down.log"]
    assert "would remove the objects of process" in said["dry.said"]
    assert "removed libvirt's network plumb1-passthrough_net" in said["clean.said"]
    assert said["after-both"] == before, said["clean.said"]
    assert said["again.said"] == "nothing to clean\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "lib" / "journal"
    monkeypatch.setattr(journal, "PLACE", place)
    return place


LINK, FOLDER = LinkDelete("br0"), FolderRemove("/nowhere")


def test_a_journal_is_read_as_it_was_written(place: Path) -> None:
    assert journal.load() is None
    kept = journal.begin(Run.own("m"), [FOLDER])
    assert journal.load() == kept
    number = kept.will(LINK)
    assert journal.load() == kept
    assert kept.pending == {1: FOLDER, 2: LINK}
    kept.done(number)
    assert journal.load() == kept
    assert kept.pending == {1: FOLDER}
    assert [file.name for file in place.parent.iterdir()] == [place.name]


def test_a_change_is_on_the_disk_before_it_is_made(place: Path) -> None:
    kept = journal.begin(Run.own("m"))
    for number in range(3):
        kept.will(LinkDelete(f"br{number}"))
        last = json.loads(place.read_text().splitlines()[-1])
        assert last["will"] == {"kind": "link", "name": f"br{number}"}


def test_there_is_one_journal(place: Path) -> None:
    journal.begin(Run.own("m"))
    with pytest.raises(FileExistsError):
        journal.begin(Run.own("n"))
    assert place.exists()


def test_a_line_that_a_crash_cut_off_was_no_change_yet(place: Path) -> None:
    kept = journal.begin(Run.own("m"), [FOLDER])
    with place.open("a") as file:
        file.write('{"will": {"kind": "li')
    assert journal.load() == kept


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A process whose files are not longer, as on a full disk: its last write is cut off."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


def test_a_change_that_the_disk_has_no_room_for_is_not_half_there(place: Path) -> None:
    kept = journal.begin(Run.own("m"), [FOLDER])
    before = place.read_text()
    with (
        files_of_at_most(len(before) + 10),
        pytest.raises(OSError, match=r"No space left|too large"),
    ):
        kept.will(LINK)
    assert place.read_text() == before
    kept.will(LINK)
    assert list(kept.pending.values()) == [FOLDER, LINK]
    assert journal.load() == kept


def test_a_journal_that_the_disk_has_no_room_for_is_not_begun(place: Path) -> None:
    place.parent.mkdir()
    with files_of_at_most(5), pytest.raises(OSError, match=str(place)):
        journal.begin(Run.own("m"))
    assert not place.exists()


def test_on_a_full_disk_all_is_taken_back(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_cleanup, "PLACE", place)
    monkeypatch.setattr(local_cleanup, "LOCK", place.with_name("lock"))
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    kept = journal.begin(replace(Run.own(""), harness=0), [FolderRemove(str(f)) for f in folders])
    with files_of_at_most(len(place.read_text()) + 2):
        said = list(local_cleanup.take_down(kept))
    assert said == [str(tmp_path / "two"), str(tmp_path / "one"), f"{place}, the journal"]
    assert not any(folder.exists() for folder in folders)
    assert not place.exists()


def test_a_journal_without_its_first_line_has_no_change(place: Path) -> None:
    place.parent.mkdir()
    place.touch()
    left = journal.load()
    assert left is not None
    assert left.pending == {}
    assert not left.run.is_at_work


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("nothing", 2),
        ("{}", 2),
        ("[]", 2),
        ('{"done": 7}', 2),
        ('{"will": {"kind": "unknown"}, "number": 1}', 2),
        ('{"will": {"kind": "link", "colour": "red"}, "number": 1}', 2),
        ('{"will": {"kind": "link", "name": "br0"}}', 2),
    ],
)
def test_what_is_no_journal_is_said_to_be_none(place: Path, line: str, number: int) -> None:
    journal.begin(Run.own("m"))
    with place.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(JournalBroken, match="not the journal of a run") as broken:
        journal.load()
    assert f"{place}:{number}: " in str(broken.value)
    assert "remove them and the file" in str(broken.value)


def test_a_first_line_of_something_else_is_said_to_be_none(place: Path) -> None:
    place.parent.mkdir()
    place.write_text('{"harness": 1}\n')
    with pytest.raises(JournalBroken, match="not the journal of a run"):
        journal.load()


def test_only_the_same_process_of_the_same_boot_is_at_work() -> None:
    own = Run.own("m")
    assert own.is_at_work
    assert not replace(own, started="1").is_at_work
    assert not replace(own, boot="another").is_at_work


def test_a_folder_without_a_living_harness_is_left(tmp_path: Path) -> None:
    assert not journal.is_left(tmp_path / "none")
    assert journal.is_left(tmp_path)
    journal.claim(tmp_path)
    assert not journal.is_left(tmp_path)
    (tmp_path / journal.OWNER).write_text(f"{os.getpid()} 1\n")
    assert journal.is_left(tmp_path)
