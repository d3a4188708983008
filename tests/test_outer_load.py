# SPDX-License-Identifier: GPL-2.0-or-later
"""The load beside a lab: written by its launcher, read by the run in the lab."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.outer_load import FILE, OuterLoad
from fixtures.errors import HarnessError
from fixtures.host.foreign_load import LOADED_SHARE, watching
from fixtures.host.outer_load import WHERE, watching_outside
from launcher.lab import disk_image, outer_load
from launcher.lab.lab_parts import set_up
from launcher.progress import Progress
from tests.launched import ROOT, launched
from tests.test_loaded import CHOKED, load

# Prints the load of a second in which this process, as in a lab, sees none of it.
BESIDE = """
import contextlib, sys, time
from pathlib import Path
from contracts.outer_load import FILE
from fixtures.host.foreign_load import Load
from fixtures.host.outer_load import watching_outside
from launcher.lab.outer_load import written_down

@contextlib.contextmanager
def seeing_nothing():
    yield Load()

folder = Path(sys.argv[1])
with written_down(folder), watching_outside(seeing_nothing, folder / FILE)() as load:
    time.sleep(1)
print(load.share, load)
"""


def test_load_on_the_machine_of_a_lab_is_load_in_the_lab(tmp_path: Path) -> None:
    with load():
        shown = subprocess.run(
            [sys.executable, "-c", BESIDE, tmp_path],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        ).stdout
    # A core's worth of burners, less what this process and other tests take.
    assert float(shown.split()[0]) > LOADED_SHARE
    assert shown.rstrip().endswith(WHERE)


def test_of_the_load_inside_and_beside_the_higher_one_counts(tmp_path: Path) -> None:
    OuterLoad(7, 10.0, 100.0).write(tmp_path)
    watch = watching_outside(watching(), tmp_path / FILE)
    with watch() as seen:
        # 2 of 8 CPU seconds, in figures of which the first is there when the block ends.
        OuterLoad(8, 11.0, 104.0).write(tmp_path)
        later = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys, time; from pathlib import Path; "
                "from contracts.outer_load import OuterLoad; time.sleep(0.5); "
                "OuterLoad(9, 12.0, 108.0).write(Path(sys.argv[1]))",
                tmp_path,
            ],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    assert later.wait() == 0
    # This process sees its own load as well, which other tests may raise.
    assert seen.share >= 2 / 8


def test_a_lab_without_a_figure_of_its_machines_load_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(HarnessError, match="the load beside this lab is not known"),
        watching_outside(watching(), tmp_path / FILE)(),
    ):
        pass


def test_a_lab_cannot_have_its_launcher_write_elsewhere(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / FILE).symlink_to(victim)
    with outer_load.written_down(folder):
        pass
    assert victim.read_text() == "kept"
    assert OuterLoad.read(folder / FILE).number >= 1


@pytest.mark.lab
def test_a_rate_in_a_lab_beside_a_load_on_its_machine_is_inconclusive(tmp_path: Path) -> None:
    words = ("--host", "lab", "--topology", "linux-bridge", "--claim", "GN-07")
    # Built beside no load: that is no part of the test.
    set_up("trixie")
    disk_image.ensure("trixie", Progress())
    with load():
        done, record = launched("run", tmp_path / "run", *words, "--after-build", CHOKED)
    assert done.returncode == 10, done.stdout + done.stderr
    [check] = record["checks"]
    assert check["verdict"] == "inconclusive", check
    assert check["reason"].endswith(WHERE), check
