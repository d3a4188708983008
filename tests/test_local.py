# SPDX-License-Identifier: GPL-2.0-or-later
"""A run on a machine itself, which is a lab here: what is left of it when it is killed."""

import json
import os
from pathlib import Path

import pytest

from fixtures.host import journal
from fixtures.host.journal import Journal, NicBefore
from launcher import setup
from launcher.cache import cache_dir
from launcher.lab import image, machine, qemu
from launcher.lab.job import Share
from launcher.lab.run import PATH
from launcher.progress import Progress
from tests.launched import ROOT

# libvirt as a package has it: QEMU runs as a user of its own. What is on the machine is written
# down before a run, while it stands, and when its journal is gone; the loops are bounded.
SCRIPT = """\
cd "$FOLDER"
sed -i '/^user/d; /^group/d; /^stdio_handler/d' /etc/libvirt/qemu.conf
kill "$(cat /run/libvirtd.pid)"
virtlogd -d
round=0
until libvirtd -d || [ $((round += 1)) -gt 50 ]; do sleep 0.2; done
state() {
    ip -o link | sed 's/^[0-9]*: //; s/ mtu.*//'
    ip -4 -o address | sed 's/^[0-9]*: //'
    ip netns list
    virsh -q list --all --name
    virsh -q net-list --all --name
    cat /sys/class/net/*/device/sriov_numvfs
    ls -d /run/plumbline /var/lib/plumbline/local.json
    pgrep -f 'plumbline-prob[e]|dnsmas[q]|qemu-syste[m]'
}
state >before 2>/dev/null
python3 -P -m pytest -p no:cacheprovider -c "$ROOT/pyproject.toml" \
    --rootdir "$ROOT" "$ROOT/suites" \
    --host=local --topology=passthrough --claim=PT-10 --pf=$PF --wire=$WIRE --whole=$WHOLE \
    --output="$FOLDER/run" >said 2>&1 &
round=0
until grep -qs '"conforms"' run/run.json || [ $((round += 1)) -gt 600 ]; do sleep 0.5; done
state >meanwhile 2>/dev/null
kill -KILL $!
round=0
while [ -e /var/lib/plumbline/local.json ] && [ $((round += 1)) -lt 200 ]; do sleep 0.5; done
state >after 2>/dev/null
cp /var/lib/plumbline/taken-down.log .
"""


def test_a_killed_run_is_taken_down_by_its_guardian(tmp_path: Path) -> None:
    setup.ensure("trixie", lab=True)
    progress = Progress()
    guest_image = setup.cached_image()
    assert guest_image is not None
    disk = image.ensure("trixie", progress)
    script = tmp_path / "script"
    script.write_text(SCRIPT)
    environment = {
        "PATH": PATH,
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "ROOT": str(ROOT),
        "PF": qemu.PF,
        "WIRE": qemu.WIRE,
        "WHOLE": qemu.WHOLE,
        "FOLDER": str(tmp_path),
        "PLUMBLINE_CACHE": str(cache_dir().resolve()),
        "PYTHONPYCACHEPREFIX": str(disk.kept / image.COMPILED),
    }
    shares = [
        Share("folder0", ROOT),
        Share("folder1", guest_image.kernel.parent.resolve()),
        Share("folder2", tmp_path, writable=True),
    ]
    plan = machine.Plan(
        image=disk,
        accel="tcg",
        shares=shares,
        command=["sh", str(script)],
        environment=environment,
        folder=tmp_path,
        console=tmp_path / "console.txt",
    )
    machine.run(plan, qemu.emulator(progress), progress)
    before, meanwhile, after = (
        (tmp_path / n).read_text() for n in ("before", "meanwhile", "after")
    )
    said = (tmp_path / "said").read_text()
    for made in ("kvm1", "passthrough_net", "outside", "192.168.1.2/24", "local.json"):
        assert made in meanwhile, said
        assert made not in before
    log = (tmp_path / "taken-down.log").read_text()
    assert after == before, log
    assert "libvirt's domain kvm1 (destroy)" in log
    assert f"the name to-host of {qemu.WIRE}" in log


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "lib" / "local.json"
    monkeypatch.setattr(journal, "PLACE", place)
    return place


def test_a_journal_is_read_as_it_was_written(place: Path) -> None:
    assert journal.load() is None
    nic = NicBefore("0000:01:00.0", "enp1s0", up=True, functions=0)
    me = journal.started(os.getpid())
    assert me is not None
    written = Journal(os.getpid(), me, "m", "/run/x", ("kvm1",), ("net",), ("lan",), (nic,))
    written.save()
    assert journal.load() == written
    assert json.loads(place.read_text())["nics"][0]["functions"] == 0


def test_another_process_of_the_same_id_is_not_the_harness() -> None:
    mine = Journal(os.getpid(), journal.started(os.getpid()) or "", "m", "/run/x", (), (), (), ())
    assert mine.is_at_work
    assert not Journal(os.getpid(), "1", "m", "/run/x", (), (), (), ()).is_at_work
