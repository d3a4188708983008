# SPDX-License-Identifier: GPL-2.0-or-later
"""How many samples are taken, in which order, and when the first of them does not count."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.plugin.sampling import Sampling, Series
from fixtures.probe.evidence import Evidence
from reports.warmup import cold_ones

ROOT = Path(__file__).resolve().parent.parent


def order(sampling: Sampling, **usual: int) -> str:
    taken: list[str] = []

    def trial(name: str) -> float:
        taken.append(name)
        return 1.0

    sampling.take(*(Series(lambda n=name: trial(n), number) for name, number in usual.items()))
    return "".join(taken)


def test_quantities_are_taken_one_after_the_other_as_often_as_the_check_says() -> None:
    assert order(Sampling(), a=3, b=1, c=2) == "aaabcc"


def test_by_turns_each_is_taken_as_often_and_the_turns_are_spread() -> None:
    assert order(Sampling(by_turns=True), a=3, b=1, c=2) == "abcaca"


def test_a_number_that_was_asked_for_holds_for_each_and_one_more_may_be_cold() -> None:
    assert order(Sampling(samples=2), a=3, b=1) == "aaabbb"
    assert order(Sampling(samples=2, by_turns=True), a=3, b=1) == "ababab"


@pytest.mark.parametrize(
    ("samples", "better", "cold"),
    [
        # Real ones: round trips whose first resolved addresses, and a first trial of TCP.
        ([12.3, 1.76, 1.4, 1.32, 1.85, 1.58, 1.41, 1.66, 2.58, 2.57], "less", 1),
        ([1041.8, 1903.7, 1878.8, 1911.0, 1890.2], "more", 1),
        # Worse than all others, but not by more than they differ.
        ([1041.8, 1903.7, 1378.8, 1911.0, 1790.2], "more", 0),
        # Better than all others.
        ([1.0, 12.0, 12.1, 12.2, 12.3], "less", 0),
        ([9.0, 3.0, 3.0, 3.0, 3.0], "less", 1),
        ([3.0, 3.0, 3.0, 3.0, 3.0], "less", 0),
        # Too few others to know how far they spread; no way is better.
        ([12.3, 1.4, 1.3, 1.5], "less", None),
        ([9.0, 3.0, 3.0, 3.0, 3.0], None, None),
    ],
)
def test_the_first_sample_is_cold_if_it_is_far_worse_than_all_others(
    samples: list[float], better: str | None, cold: int | None
) -> None:
    assert cold_ones(samples, better) == cold  # type: ignore[arg-type]  # a parameter's literal


def test_what_is_cold_is_kept_told_and_not_counted(tmp_path: Path) -> None:
    evidence = Evidence(tmp_path, "throughput.x")
    counted = evidence.measurement("round trip", "ms", [12.3, 1.7, 1.4, 1.3, 1.8], "less", [2, 3])
    assert counted == [1.7, 1.4, 1.3, 1.8]
    assert evidence.measurements == [
        {
            "name": "round trip",
            "unit": "ms",
            "samples": [12.3, 1.7, 1.4, 1.3, 1.8],
            "better": "less",
            "cold": 1,
            "trials": [2, 3],
        }
    ]


def test_a_quantity_without_a_direction_counts_whole() -> None:
    evidence = Evidence(Path(), "stp.x")
    assert evidence.measurement("hello interval", "s", [9.0, 2.0, 2.0, 2.0, 2.0])[0] == 9.0


def test_the_launcher_hands_both_options_to_pytest_and_refuses_no_number() -> None:
    from launcher.pytest_command import pytest_argv
    from launcher.run import parser

    options = parser().parse(["--samples", "8", "--interleave", "--topology", "nat"])
    argv = pytest_argv(options, [], ["./plumbline", "run"])
    assert "--samples=8" in argv
    assert "--interleave" in argv
    assert not [word for word in pytest_argv(parser().parse([]), [], []) if "samples" in word]
    for word in ("0", "-1", "many", "1001"):
        done = subprocess.run(
            [sys.executable, str(ROOT / "plumbline"), "run", f"--samples={word}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 4
        assert f"{word!r} is no number from 1 to 1000" in done.stderr


def test_the_record_has_the_new_keys_and_reads_one_without_them() -> None:
    from reports.record import Measurement

    old = Measurement.model_validate_json('{"name": "x", "unit": "s", "samples": [1]}')
    assert json.loads(old.model_dump_json()) == {
        "name": "x",
        "unit": "s",
        "samples": [1.0],
        "better": None,
        "cold": None,
        "trials": [],
    }
