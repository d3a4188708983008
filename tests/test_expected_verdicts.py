# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of expected verdicts: what is read from one, and what is wrong in one."""

from pathlib import Path

import pytest

from launcher.capabilities import CAPABILITIES
from launcher.staged import profile, root_folder
from topologies.data_error import DataError
from topologies.expected_verdicts import KnownNames, load

KNOWN = KnownNames(root_folder.RELEASES, tuple(CAPABILITIES))
NARROW = "connectivity.reach[guest-to-guest"
GOOD = """\
schema: plumbline/verdicts/1
seen:
  bookworm:
    nat: [GN-01, NT-01..NT-03]
    linux-bridge: [IF-06, "connectivity.reach[guest-to-guest"]
exceptions:
  - claims: [NT-02, NT-03]
    topologies: [nat]
    verdict: violates
    why: The host's policy drops them.
  - claims: [IF-06]
    lacking: [bonding]
    verdict: not-testable
    why: Without bonds nothing is there to list.
  - topologies: [linux-bridge]
    checks: ["connectivity.reach[guest-to-guest"]
    having: [bridge-nf]
    verdict: violates
    why: Bridged packets are filtered.
"""


def written(folder: Path, text: str, name: str = "mine.verdicts.yaml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_what_a_file_says(tmp_path: Path) -> None:
    found = load(written(tmp_path, GOOD), KNOWN)
    assert list(found) == ["bookworm"]
    whole = found["bookworm"]
    assert whole.seen["nat"] == ("GN-01", "NT-01", "NT-02", "NT-03")
    said = [(each.claims, each.topologies, each.verdict) for each in whole.exceptions]
    assert said == [
        (("NT-02", "NT-03"), ("nat",), "violates"),
        (("IF-06",), ("linux-bridge",), "not-testable"),
        ((), ("linux-bridge",), "violates"),
    ]


def test_what_was_seen_for_want_of_a_capability_is_nothing_to_expect_of_a_host_with_it(
    tmp_path: Path,
) -> None:
    whole = load(written(tmp_path, GOOD), KNOWN)["bookworm"]
    lacking = whole.on(["bridge-nf"])
    assert lacking == whole
    other = whole.on(["bonding"])
    assert other.seen["linux-bridge"] == ()
    assert [each.claims for each in other.exceptions] == [("NT-02", "NT-03")]
    assert other.seen["nat"] == whole.seen["nat"]


@pytest.mark.parametrize(
    ("seen", "exception", "left"),
    [
        ("connectivity.reach[guest-to-guest", "connectivity.reach[guest-to-guest-tcp", True),
        ("connectivity.reach[guest-to-guest-tcp", "connectivity.reach[guest-to-guest", False),
    ],
    ids=["part of what was seen", "more than was seen"],
)
def test_checks_that_were_seen_by_another_capability_are_not_expected_of_a_host_without_it(
    tmp_path: Path, seen: str, exception: str, left: bool
) -> None:
    text = GOOD.replace(f'"{NARROW}"', f'"{seen}"', 1).replace(
        f'checks: ["{NARROW}"]', f'checks: ["{exception}"]'
    )
    whole = load(written(tmp_path, text), KNOWN)["bookworm"]
    assert whole.on(["bridge-nf"]).unseen == {}
    without = whole.on([])
    assert without.unseen == {"linux-bridge": (exception,)}
    assert (seen in without.seen["linux-bridge"]) == left


def test_a_shared_file_counts_where_its_claims_were_seen(tmp_path: Path) -> None:
    shared = """\
schema: plumbline/verdicts/1
exceptions:
  - {claims: [GN-01, OV-01], verdict: not-testable, why: It is lacking.}
"""
    written(tmp_path, shared, "every.yaml")
    text = GOOD.replace("seen:\n", "shared: [every.yaml]\nseen:\n", 1)
    found = load(written(tmp_path, text), KNOWN)["bookworm"].exceptions
    assert [(each.claims, each.topologies) for each in found][-1] == (("GN-01",), ("nat",))


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "says"),
    [
        ("NT-01..NT-03", "NT-01..NT-93", 4, "seen.bookworm.nat[1]", 'unknown claim "NT-93"'),
        ("NT-01..NT-03", "NT-03..NT-01", 4, "seen.bookworm.nat[1]", "write NT-01..NT-03"),
        ("GN-01", "OV-01", 4, "seen.bookworm.nat[0]", "OV-01 is not about nat"),
        ("    nat:", "    nut:", 4, "seen.bookworm.nut", 'did you mean "nat"?'),
        ("  bookworm:", "  bookwurm:", 3, "seen.bookwurm", 'unknown release "bookwurm"'),
        ("[bonding]", "[bondage]", 12, "exceptions[1].lacking[0]", 'did you mean "bonding"?'),
        ("topologies: [nat]", "topologies: [nut]", 8, "exceptions[0].topologies[0]", "one of"),
        ("topologies: [nat]", "topologies: [linux-bridge]", 7, "exceptions[0].claims", "not seen"),
        ("[NT-02, NT-03]", "[NT-02, NT-09]", 7, "exceptions[0].claims", "NT-09: not seen"),
        ("[NT-02, NT-03]", "[]", 7, "exceptions[0]", "it has no claims"),
        ("[NT-02, NT-03]", "[XY-02]", 7, "exceptions[0].claims[0]", 'unknown claim "XY-02"'),
        (
            "verdict: violates\n    why: The",
            "verdict: conforms\n    why: The",
            9,
            "verdict",
            "not-t",
        ),
        ("    why: The host's policy drops them.\n", "", 7, "exceptions[0].why", "is missing"),
        ('checks: ["connectivity.reach[', 'checks: ["connectivity.rich[', 16, "checks[0]", "no ch"),
        ("plumbline/verdicts/1", "plumbline/verdicts/2", 1, "schema", "plumbline/verdicts/1"),
        ("[IF-06]\n", "[NT-02]\n", 6, "exceptions", "NT-02 has two exceptions"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, old: str, new: str, line: int, field: str, says: str
) -> None:
    assert old in GOOD
    file = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(DataError) as caught:
        load(file, KNOWN)
    said = str(caught.value).splitlines()
    assert any(
        each.startswith(f"{file}:{line}: ") and field in each and says in each for each in said
    ), said


@pytest.mark.parametrize("name", [name for name in profile.names() if name != "modular"])
def test_every_shipped_profile_has_its_file(name: str) -> None:
    file = profile.load(name).verdicts
    assert file is not None
    found = load(file, KNOWN)
    assert "bookworm" in found
    for whole in found.values():
        assert any(whole.seen.values())


def test_the_file_of_a_users_profile_is_beside_it(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('text = "mine"\n')
    assert profile.load(str(mine)).verdicts == tmp_path / "mine.verdicts.yaml"
