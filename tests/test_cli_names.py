# SPDX-License-Identifier: GPL-2.0-or-later
"""A mistyped name is refused before anything is set up, in the words of a run that is set up."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.plugin import settings
from launcher.cache import cache_dir
from topologies.catalogue import claims
from topologies.cli_names import FOLDER, claim_ids
from topologies.library import load_all, names

ROOT = Path(__file__).resolve().parent.parent
REFUSED = [
    (["--topology", "nut"], 'unknown topology "nut"; expected one of linux-bridge, '),
    (["--topology", "nut"], 'did you mean "nat"?'),
    (["--topology", "absent.yaml"], "absent.yaml: no such file"),
    (["--topology", "absent.yaml", "--topology", "ofs"], '"ofs"'),
    (["--topology", "folder.yaml"], "folder.yaml: the folder has no file"),
    (["--topology", "absent.xml"], "absent.xml: no such file; expected an XML file"),
    (["--topology", "domain.xml"], "domain.xml:2: found <domain>; expected <network>"),
    (["--topology", "present.json"], "does not end in .yaml, .yml or .xml"),
    (["--claim", "NT-99"], '--claim: no claim "NT-99"'),
    (["--claim", "nt-09"], 'did you mean "NT-09"?'),
    (["--expect", "sriow"], '--expect: no capability "sriow"; expected one of kvm, libvirt, '),
    (["--expect", "ovs,,vlan", "--expect", "kvn"], 'did you mean "kvm"?'),
]


def start(argv: list[str], here: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        cwd=here,
        env=os.environ | {"PLUMBLINE_CACHE": str(cache)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_a_wrong_name_is_refused_before_set_up_and_after_it_alike(
    tmp_path: Path, words: list[str], said: str
) -> None:
    here, cache = tmp_path / "here", tmp_path / "cache"
    (here / "folder.yaml").mkdir(parents=True)
    (here / "present.json").touch()
    (here / "domain.xml").write_text("<?xml version='1.0'?>\n<domain/>")

    before = start([sys.executable, str(ROOT / "plumbline"), "run", *words], here, cache)

    # An empty cache is a machine on which nothing is set up; it stays one.
    assert not cache.exists()
    assert before.returncode == 4
    assert said in before.stderr
    assert "setting up" not in before.stderr
    assert before.stdout == ""

    words = [word.replace("ovs,,vlan", "ovs,vlan") for word in words]
    pytest_ = ["-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    pytest_ += ["-p", "no:cacheprovider", str(ROOT / "suites")]
    after = start([sys.executable, *pytest_, *words], here, cache_dir())

    assert after.returncode == 4
    told = before.stderr.removeprefix("plumbline: ").replace("\n  ", "\n")
    assert told.strip() == after.stderr.removeprefix("ERROR: ").strip()


def test_the_ids_read_by_their_lines_are_those_of_the_catalogue() -> None:
    assert claim_ids() == list(claims())


def test_the_names_of_topologies_are_those_of_the_files() -> None:
    data = {file.stem for file in FOLDER.glob("*.yaml")} - {"claims"}
    assert set(names()) == data


def test_a_claim_that_no_check_decides_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every claim about a shipped topology has its check: only without the suites is there one.
    monkeypatch.setattr(settings, "SUITES", tmp_path)
    with pytest.raises(pytest.UsageError, match="GN-01: no check of this version decides it"):
        settings._decidable(["GN-01"], load_all(["isolated"]))
