# SPDX-License-Identifier: GPL-2.0-or-later
"""A run on a machine itself, which is a lab here: what is left of it when it is killed."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.host import journal
from fixtures.host.journal import Journal, JournalBroken, NicBefore
from launcher import setup
from launcher.cache import cache_dir
from launcher.lab import disk_image, lab_machine, qemu
from launcher.lab.job import Share
from launcher.lab.lab_run import PATH
from launcher.progress import Progress
from tests.launched import ROOT

# libvirt as a package has it: QEMU runs as a user of its own. What is on the machine is written
# down before the runs, while one stands, and after each; the loops are bounded.
SCRIPT = """\
cd "$FOLDER"
sed -i '/^user/d; /^group/d; /^stdio_handler/d' /etc/libvirt/qemu.conf
kill "$(cat /run/libvirtd.pid)"
virtlogd -d
round=0
until libvirtd -d || [ $((round += 1)) -gt 50 ]; do sleep 0.2; done
journal=/var/lib/plumbline/local.json
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
    setup.ensure("trixie", lab=True)
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
        "PYTHONPYCACHEPREFIX": str(disk.kept / disk_image.COMPILED),
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
    for made in ("kvm1", "passthrough_net", "outside", "10.213.0.2/24", "local.json"):
        assert made in meanwhile, said["killed.said"]
        assert made not in before
    assert said["whole.status"] == "0\n", said["whole.said"]
    assert said["after-whole"] == before, said["whole.said"]
    assert said["after-killed"] == before, said["taken-down.log"]
    assert "libvirt's domain plumb1-kvm1" in said["taken-down.log"]
    assert f"the name to-host of {qemu.PEER_NIC}" in said["taken-down.log"]
    assert "would remove the objects of process" in said["dry.said"]
    assert "removed libvirt's network plumb1-passthrough_net" in said["clean.said"]
    assert said["after-both"] == before, said["clean.said"]
    assert said["again.said"] == "nothing to clean\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "lib" / "local.json"
    monkeypatch.setattr(journal, "PLACE", place)
    return place


def journal_of(**other: Any) -> Journal:
    nic = NicBefore("0000:01:00.0", "enp1s0", up=True, functions=0, given="192.168.1.2/24")
    mine = Journal(
        harness=os.getpid(),
        started=journal.started(os.getpid()) or "",
        boot=journal.boot(),
        mark="m",
        state="/nowhere",
        domains=("kvm1",),
        networks=("net",),
        namespaces=("lan",),
        nics=(nic,),
    )
    return replace(mine, **other)


def test_a_journal_is_read_as_it_was_written(place: Path) -> None:
    assert journal.load() is None
    journal_of().save()
    assert journal.load() == journal_of()
    assert [file.name for file in place.parent.iterdir()] == [place.name]


@pytest.mark.parametrize("text", ["", '{"harness": 1', "{}", "[]", '{"harness": 1, "nics": [1]}'])
def test_what_is_no_journal_is_said_to_be_none(place: Path, text: str) -> None:
    place.parent.mkdir()
    place.write_text(text)
    with pytest.raises(JournalBroken, match="not the journal of a run") as broken:
        journal.load()
    assert str(place) in str(broken.value)


def test_only_the_same_process_of_the_same_boot_is_at_work() -> None:
    assert journal_of().is_at_work
    assert not journal_of(started="1").is_at_work
    assert not journal_of(boot="another").is_at_work


def test_a_folder_without_a_living_harness_is_left(tmp_path: Path) -> None:
    assert not journal.is_left(tmp_path / "none")
    assert journal.is_left(tmp_path)
    journal.claim(tmp_path)
    assert not journal.is_left(tmp_path)
    (tmp_path / journal.OWNER).write_text(f"{os.getpid()} 1\n")
    assert journal.is_left(tmp_path)
