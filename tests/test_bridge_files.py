# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of bridge hosts: each bridge is a topology, nothing is left out, and it gets its verdicts.

All are read each time. For real some are run by turns, and all on demand, as those of
`test_field_networks`.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.host_file_verdicts import FOLDER, expected_bridges
from tests.launched import launched
from topologies import library
from topologies.bridge_files.stanzas import read_interfaces
from topologies.catalogue import claims
from topologies.cli_names import is_netplan
from topologies.host_files import joined, split
from topologies.network_import.reading import Reading
from topologies.network_types.build_steps import HostBridge, StanzaBridge
from topologies.topology import Topology

# What decides that the bridge is there with its port and address, and who reaches whom.
CLAIMS = (
    *("GN-01", "LB-02", "LB-05", "BR-01", "BR-02", "BR-03", "BR-05", "BR-06", "BR-07", "BR-08"),
    *("BR-13", "BR-17", "BR-18", "LB-14"),
)
BRIDGES = expected_bridges()


def loaded(word: str) -> Topology:
    return library.load(str(FOLDER / word))


def test_each_bridge_has_its_verdicts() -> None:
    found = library.load_all(str(each) for each in sorted(FOLDER.iterdir()) if _is_alone(each))
    assert found
    words = {
        joined(Path(each.name), topology.network.bridge)
        for each in FOLDER.iterdir()
        for topology in library.load_all([str(each)])
    }
    assert words == set(BRIDGES)


def _is_alone(file: Path) -> bool:
    """Whether its bridge's name is that of no other file's."""
    names = [word.partition("#")[2] for word in BRIDGES]
    own = [word.partition("#")[2] for word in BRIDGES if word.startswith(f"{file.name}#")]
    return all(names.count(name) == 1 for name in own)


@pytest.mark.parametrize("word", BRIDGES)
def test_it_is_a_topology(word: str) -> None:
    wanted, topology = BRIDGES[word], loaded(word)
    assert topology.kind == wanted.kind
    assert topology.network.origin == "made"
    assert _outermost(topology.reading) == wanted.not_looked_at
    assert topology.reading is not None
    applying = [claim.id for claim in claims().values() if topology.applies(claim)]
    assert [id_ for id_ in applying if topology.reading.obstacle([id_])] == wanted.undecided
    [step] = topology.origin.build_steps(topology.network)
    assert isinstance(step, StanzaBridge if wanted.by_ifup else HostBridge)


def _outermost(reading: Reading | None) -> list[str]:
    """Return the places that are not looked at, without those below another one."""
    assert reading is not None
    listed = [
        f"{each.element}{f'@{each.attribute}' if each.attribute else ''}"
        for each in reading.not_looked_at
    ]
    return [
        each
        for each in dict.fromkeys(listed)
        if not any(
            each != other and each.startswith((f"{other}.", f"{other}[")) for other in listed
        )
        or each.startswith("iface ")
    ]


@pytest.mark.parametrize("word", BRIDGES)
def test_every_line_is_in_its_reading(word: str) -> None:
    topology = loaded(word)
    file, bridge = split(str(FOLDER / word))
    others = [each.partition("#")[2] for each in BRIDGES if each.startswith(f"{file.name}#")]
    others.remove(str(bridge))
    # Of another bridge there is its own line: it is a topology of its own.
    missing = _lines_of_netplan(file, others) if is_netplan(file) else _lines(file, others)
    assert topology.reading is not None
    missing -= {each.line for each in topology.reading.settings}
    assert not missing


def _lines(file: Path, others: Sequence[str]) -> set[int | None]:
    """Return the lines of a file of stanzas, without those of other bridges' options."""
    found: set[int | None] = set()
    for stanza in read_interfaces(file):
        found.add(stanza.line)
        if stanza.kind != "iface" or stanza.interface not in others:
            found |= {each.line for each in stanza.options}
    return found


def _lines_of_netplan(file: Path, others: Sequence[str]) -> set[int | None]:
    """Return the lines of netplan's YAML, without those below other bridges."""
    found: set[int | None] = set()
    around = ""
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if re.match(r" {0,4}[a-z]", line):
            around = line.strip().rstrip(":")
            found.add(number)
        elif line.startswith("     ") and around not in others:
            found.add(number)
    return found


@pytest.mark.parametrize("word", [word for word, wanted in BRIDGES.items() if wanted.by_ifup])
def test_ifup_is_given_the_files_own_lines(word: str) -> None:
    topology = loaded(word)
    stanza = topology.network.stanza
    assert stanza is not None
    written = stanza.file.read_text(encoding="utf-8").splitlines()
    given = stanza.text.splitlines()
    heads = [line for line in written if line.startswith(f"iface {topology.network.bridge} ")]
    other = [line for line in given if line not in written]
    assert all(line.split()[-1] == "manual" for line in other)
    assert len(other) == sum(line.split()[-1] in ("dhcp", "auto") for line in heads)


@pytest.mark.host
def test_it_gets_its_verdicts(bridge_in_turn: str, tmp_path: Path) -> None:
    topology = loaded(bridge_in_turn)
    wanted = [claim for claim in CLAIMS if topology.applies(claims()[claim])]
    words = [word for claim in wanted for word in ("--claim", claim)]
    word = str(FOLDER / bridge_in_turn)
    done, record = launched("run", tmp_path / "run", "--topology", word, *words)
    assert record, done.stdout + done.stderr
    assert list(BRIDGES[bridge_in_turn].differences(record)) == []
    assert record["checks"]
    listed = record["topologies"][0]["not_looked_at"]
    assert bool(listed) == bool(BRIDGES[bridge_in_turn].not_looked_at)


FAILING = """\
auto br0
iface br0 inet static
    address 198.51.100.20/24
    bridge_ports eth1
    bridge_fd 0
    up sysctl -w net.no.such.key=1
"""


@pytest.mark.host
def test_a_failing_command_of_a_stanza_leaves_the_checks_untestable(tmp_path: Path) -> None:
    file = tmp_path / "interfaces"
    file.write_text(FAILING, encoding="utf-8")
    done, record = launched(
        *("run", tmp_path / "run", "--topology", str(file)),
        *("--claim", "BR-01", "--claim", "BR-03"),
    )
    assert done.stderr.count(f"{file}: 1 command of it runs as root") == 1
    assert {each["claims"][0]: each["verdict"] for each in record["checks"]} == {
        "BR-01": "not-testable",
        "BR-03": "not-testable",
    }
    for each in record["checks"]:
        assert f"the sandbox has not what {file}:6 (up sysctl -w" in each["reason"]
        assert "sysctl: cannot stat /proc/sys/net/no/such/key" in each["reason"]
