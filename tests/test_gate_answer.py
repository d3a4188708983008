# SPDX-License-Identifier: GPL-2.0-or-later
"""The answer of a gate, from records: few samples, two hosts, waivers, and its language."""

import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.language import CHINESE, spoken
from contracts.verdicts import Verdict
from launcher import gate
from launcher.gate_answer import answer
from launcher.gate_folder import FILE, PAGE, GateFolder, Step, begun
from reports.compare.compare_command import compared
from reports.compare.gate_answer import answer_of
from reports.compare.quantities import Criteria
from reports.record import Check, Measurement, RunRecord, save
from reports.waiver import Waiver
from reports.waivers import today
from tests.compared import HOST, check, quantity, record

C, V, U = Verdict.CONFORMS, Verdict.VIOLATES, Verdict.INCONCLUSIVE
STEADY = [1000.0, 1012, 990, 1005, 998, 1020, 985, 1008, 995, 1003]
OTHER_CPU = {**HOST, "facts": {"cpu": {"model": "Other CPU", "count": 2}}}


def answered(folder: Path, before: RunRecord, after: RunRecord) -> tuple[int, str]:
    """The answer of a gate with these runs."""
    for name, run in (("before", before), ("after", after)):
        (folder / name).mkdir(parents=True)
        save(run, folder / name / "run.json")
    code, sentence = answer_of(compared(folder / "before", folder / "after"))
    assert "\n" not in sentence
    return code, sentence


def measured(number: int, **samples: Sequence[float]) -> RunRecord:
    """A run that measured these quantities."""
    found: list[Measurement] = [quantity(name, taken) for name, taken in samples.items()]
    return record(number, check("throughput.x", claims=["GN-07"], measurements=found))


def of(number: int, *checks: Check) -> RunRecord:
    return record(number, check("dhcp.lease"), *checks)


def test_nothing_worse_is_an_open_gate(tmp_path: Path) -> None:
    assert answered(tmp_path, of(0), of(1)) == (
        0,
        "gate open: no verdict and no quantity is shown to be worse "
        "(checks that conform as before: 1)",
    )


def test_what_regressed_is_named_by_topology(tmp_path: Path) -> None:
    ids = ("NT-09", "NT-10")
    before = of(0, *(check(f"nat.{id_}", claims=[id_]) for id_ in ids))
    after = of(1, *(check(f"nat.{id_}", V, claims=[id_]) for id_ in ids))
    code, said = answered(tmp_path, before, after)
    assert code == 1
    assert said == "gate closed: nat: NT-09 NT-10 regressed (checks that conform as before: 1)"


def test_a_speed_that_regressed_closes_it(tmp_path: Path) -> None:
    slow = [each / 2 for each in STEADY]
    code, said = answered(tmp_path, measured(0, tcp=STEADY), measured(1, tcp=slow))
    assert code == 1
    assert said.startswith("gate closed: nat: tcp regressed (")


def test_reasons_beyond_three_are_counted(tmp_path: Path) -> None:
    names = [f"nat.{each}" for each in "abcde"]
    before = of(0, *(check(name, claims=["NT-09"]) for name in names))
    after = of(1, *(check(name, U, claims=["NT-09"]) for name in names))
    code, said = answered(tmp_path, before, after)
    assert code == 10
    assert said.startswith("gate undecided: nat.a: conforms → inconclusive; nat.b: ")
    assert "; and 2 more (checks that conform as before: 1)" in said


def test_too_few_samples_call_no_upgrade_good(tmp_path: Path) -> None:
    few = measured(0, tcp=STEADY[:3], udp=STEADY[:3]), measured(1, tcp=STEADY[:3], udp=STEADY[:3])
    assert answered(tmp_path, *few) == (
        10,
        "gate undecided: no quantity could be judged: too few samples (checks that conform as "
        "before: 1; quantities not judged: 2 of 2 (too few samples))",
    )


def test_one_quantity_that_could_be_judged_opens_no_gate_beside_one_with_too_few_samples(
    tmp_path: Path,
) -> None:
    before = measured(0, tcp=STEADY, udp=STEADY[:3])
    after = measured(1, tcp=STEADY[::-1], udp=STEADY[:3])
    assert answered(tmp_path, before, after) == (
        10,
        "gate undecided: too few samples to judge nat: udp (checks that conform as before: 1; "
        "quantities not judged: 1 of 2 (too few samples))",
    )


def test_samples_that_depend_on_one_another_call_no_upgrade_good(tmp_path: Path) -> None:
    before = measured(0, tcp=STEADY, udp=sorted(STEADY))
    after = measured(1, tcp=STEADY[::-1], udp=STEADY)
    code, said = answered(tmp_path, before, after)
    assert code == 10
    assert said == (
        "gate undecided: samples depend, or may depend, on one another, and do not judge nat: udp: "
        "another run on an idle machine may; compare --accept-dependent-samples goes by the "
        "verdicts (checks that conform as before: 1; "
        "quantities not judged: 1 of 2 (samples depend on one another))"
    )
    accepting = Criteria(accept_dependent=True)
    assert compared(tmp_path / "before", tmp_path / "after", accepting).exit_code == 0
    # These are not too few.
    assert (
        compared(tmp_path / "before", tmp_path / "after", Criteria(accept_few=True)).exit_code == 10
    )


def test_a_speed_in_another_unit_opens_no_gate(tmp_path: Path) -> None:
    steady = quantity("tcp", STEADY)
    runs = [
        record(run, check("throughput.x", measurements=[steady, quantity("udp", STEADY, unit)]))
        for run, unit in enumerate(("Mbit/s", "Gbit/s"))
    ]
    code, said = answered(tmp_path, *runs)
    assert code == 10
    assert said.startswith("gate undecided: not comparable, and not judged: nat: udp (")


def test_a_figure_without_a_better_direction_keeps_no_gate_shut(tmp_path: Path) -> None:
    once = quantity("first frame of a new NIC", [0.1], "s", None)
    runs = [
        record(run, check("throughput.x", measurements=[quantity("tcp", STEADY), once]))
        for run in range(2)
    ]
    code, said = answered(tmp_path, *runs)
    assert code == 0
    assert said.startswith("gate open: ")


def test_runs_of_two_hosts_open_no_gate(tmp_path: Path) -> None:
    """Two clones of an image have one machine-id."""
    code, said = answered(tmp_path, of(0), record(1, check("dhcp.lease"), host=OTHER_CPU))
    assert code == 10
    assert said.startswith(
        "gate undecided: two different hosts: CPU 4 × Some CPU before, 2 × Other CPU after; "
    )


@pytest.mark.parametrize(
    ("verdict", "expected", "begins"),
    [
        (V, 1, "gate closed: nat: NT-05 regressed (checks that conform as before: 0)"),
        (U, 10, "gate undecided: no check and no claim is decided in both runs; dhcp.lease: "),
    ],
)
def test_a_host_that_a_run_did_not_get_to_know_is_no_other_host(
    tmp_path: Path, verdict: Verdict, expected: int, begins: str
) -> None:
    """As where its only topology was refused before anything of the host was read."""
    after = record(1, check("dhcp.lease", verdict), host={})
    code, said = answered(tmp_path, of(0), after)
    assert code == expected
    assert said.startswith(begins)
    assert "two different hosts" not in said


def test_a_gate_that_is_closed_names_the_other_host_as_well(tmp_path: Path) -> None:
    code, said = answered(tmp_path, of(0), record(1, check("dhcp.lease", V), host=OTHER_CPU))
    assert code == 1
    assert said.startswith("gate closed: nat: NT-05 regressed (")
    assert "two different hosts: CPU" in said


@pytest.mark.parametrize(("verdict", "expected"), [(C, 10), (V, 1), (U, 10)])
def test_a_command_whose_end_was_not_seen_never_opens_the_gate(
    tmp_path: Path, verdict: Verdict, expected: int
) -> None:
    answered(tmp_path, of(0), record(1, check("dhcp.lease", verdict)))
    found = compared(tmp_path / "before", tmp_path / "after")
    code, said = answer_of(found, is_unseen=True)
    assert code == expected
    assert "gate open" not in said


@pytest.mark.parametrize(
    ("lasts_days", "expected", "said"),
    [
        (0, 0, "gate open: no verdict and no quantity is shown to be worse ("),
        (-1, 1, "gate closed: nat: NT-09 regressed ("),
    ],
)
def test_a_violation_that_is_waived_closes_no_gate_until_its_day(
    tmp_path: Path, lasts_days: int, expected: int, said: str
) -> None:
    until = today() + timedelta(days=lasts_days)
    waiver = Waiver.model_validate(
        {"id": "NT-09", "until": until.isoformat(), "why": "ticket 812", "source": "--waive"}
    )
    before = of(0, check("nat.rules", claims=["NT-09"]))
    after = of(1, check("nat.rules", V, claims=["NT-09"])).model_copy(update={"waivers": [waiver]})
    code, sentence = answered(tmp_path, before, after)
    assert code == expected
    assert sentence.startswith(said)
    assert ("whose violation is waived: 1" in sentence) is (expected == 0)


def test_one_that_was_there_before_is_counted_as_waived(tmp_path: Path) -> None:
    waiver = Waiver.model_validate(
        {"id": "NT-09", "until": today().isoformat(), "why": "ticket 812", "source": "--waive"}
    )
    runs = [
        of(number, check("nat.rules", V, claims=["NT-09"])).model_copy(update={"waivers": [waiver]})
        for number in range(2)
    ]
    code, said = answered(tmp_path, *runs)
    assert code == 0
    assert said.endswith("(checks that conform as before: 1; whose violation is waived: 1)")


def test_the_sentence_has_no_english_in_chinese(tmp_path: Path) -> None:
    before = measured(0, tcp=STEADY[:3])
    after = measured(1, tcp=STEADY[:3]).model_copy(update={"host": record(1, host=OTHER_CPU).host})
    answered(tmp_path, before, after)
    with spoken(CHINESE):
        code, said = answer_of(compared(tmp_path / "before", tmp_path / "after"), is_unseen=True)
    assert code == 10
    assert said.startswith("升级门禁未判定：")
    assert said.replace("CPU", "").replace("Some", "").replace("Other", "").isascii() is False
    words = {each for each in said.replace("×", " ").split() if each.isascii() and each.isalpha()}
    assert words <= {"CPU", "Some", "Other"}


def test_dependent_samples_are_named_in_chinese(tmp_path: Path) -> None:
    before = measured(0, tcp=STEADY, udp=sorted(STEADY))
    answered(tmp_path, before, measured(1, tcp=STEADY[::-1], udp=STEADY))
    with spoken(CHINESE):
        code, said = answer_of(compared(tmp_path / "before", tmp_path / "after"))
    assert code == 10
    assert said.startswith("升级门禁未判定：样本相互依赖或可能相互依赖，无法评判 nat: udp")
    assert "未评判的量：1/2（样本相互依赖）" in said


def of_gate(folder: Path, *words: str) -> GateFolder:
    """A gate with two runs of three samples each."""
    made = GateFolder(folder / "gate", folder)
    made.write(begun(words, [], here=False))
    for place, run in ((made.before, 0), (made.after, 1)):
        place.mkdir()
        save(measured(run, tcp=STEADY[:3]), place / "run.json")
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "begins", "tag"),
    [((), "gate undecided: ", "en"), (("--lang", "zh"), "升级门禁未判定：", "zh-CN")],
)
def test_a_gate_ends_with_its_sentence_and_page_in_the_language_of_its_options(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    words: Sequence[str],
    begins: str,
    tag: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONUTF8", "1")
    folder = of_gate(tmp_path, *words)
    found = folder.read()
    assert found is not None
    assert answer(folder, found, is_unseen=False) == 10
    kept = json.loads((folder.place / FILE).read_text(encoding="utf-8"))
    assert (kept["step"], kept["exit_code"]) == (Step.DONE, 10)
    assert kept["answer"].startswith(begins)
    assert f'<html lang="{tag}">' in (folder.place / PAGE).read_text(encoding="utf-8")
    # What a program reads is English.
    comparison = json.loads((folder.place / "comparison.json").read_text(encoding="utf-8"))
    assert comparison["because"] == ["no quantity could be judged: too few samples"]
    assert kept["answer"] in capfd.readouterr().out


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with the words of each run: the Python that they get writes them, and a record."""
    program = tmp_path / "python"
    save(of(0), tmp_path / "record")
    program.write_text(
        f'#!/bin/sh\necho "$*" >>{tmp_path}/words\nfor last; do :; done\n'
        f'mkdir -p "$last" && cp {tmp_path}/record "$last/run.json"\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    return tmp_path / "words"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--topology", "nat"], "--topology nat --samples=10 --interleave"),
        (["--samples", "20"], "--samples 20"),
        (["--samples=20"], "--samples=20"),
    ],
)
def test_both_runs_take_enough_samples_unless_it_is_asked_for_others(
    tmp_path: Path, runs: Path, words: Sequence[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setattr(gate, "answer", lambda *_, **__: 0)
    folder = GateFolder(tmp_path / "gate", tmp_path)
    begun_ = gate._before(folder, begun(words, [], here=False))
    gate._after(folder, begun_)
    before, after = runs.read_text().splitlines()
    assert before.endswith(f"plumbline run {expected} --output {folder.before}")
    assert after.endswith(f"plumbline run {expected} --output {folder.after}")


def test_the_language_of_the_locale_is_kept_for_what_systemd_goes_on_with(
    tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    gate._before(GateFolder(tmp_path / "gate", tmp_path), begun(["--samples=9"], [], here=False))
    assert "run --samples=9 --lang=zh --output" in runs.read_text()
