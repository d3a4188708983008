# SPDX-License-Identifier: GPL-2.0-or-later
"""How many samples are taken, in which order, and when the first of them does not count."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures.errors import Inconclusive, TrialFailed
from fixtures.host.foreign_load import Load, watching
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


def test_a_number_that_was_asked_for_is_of_what_runs_are_compared_by() -> None:
    other = Series(lambda: 60.0, 3, lambda rate: rate >= FLOOR, compared=False)
    Sampling(samples=9).take(other)
    assert len(other.samples) == 1


def test_a_number_that_was_asked_for_holds_for_each_and_one_more_may_be_cold() -> None:
    assert order(Sampling(samples=2), a=3, b=1) == "aaabbb"
    assert order(Sampling(samples=2, by_turns=True), a=3, b=1) == "ababab"


FLOOR = 50.0


def beside(*shares: float) -> Sampling:
    """Return a sampling whose trials have these foreign loads, one after the other."""
    coming = iter(shares)

    @contextlib.contextmanager
    def watch() -> Iterator[Load]:
        yield Load(next(coming))

    return Sampling(watch=watch)


def rates(*coming: float) -> Series[float]:
    """Return a quantity of these rates; at 0 the trial fails."""
    left = iter(coming)

    def trial() -> float:
        rate = next(left)
        if rate == 0:
            raise TrialFailed("no connection")
        return rate

    return Series(trial, 1)


def holds(sampling: Sampling, series: Series[float]) -> bool:
    sampling.take(series)
    return sampling.holds(series, lambda seen: min(seen) >= FLOOR, lambda seen: f"{seen} Mbit/s")


def test_a_rate_below_its_floor_on_an_idle_machine_misses_at_once() -> None:
    assert not holds(beside(0.05), rates(16.0))


def test_a_rate_above_its_floor_holds_beside_any_load() -> None:
    assert holds(beside(0.9), rates(60.0))


def test_a_rate_missed_beside_a_load_is_taken_once_more_and_then_decides() -> None:
    assert holds(beside(0.5, 0.5), rates(16.0, 60.0))
    assert not holds(beside(0.5, 0.0), rates(16.0, 16.0))


def test_a_rate_missed_twice_beside_a_load_is_inconclusive_and_says_how_high_it_was() -> None:
    with pytest.raises(
        Inconclusive,
        match=r"\[17.0\] Mbit/s; meanwhile other processes used 63% of the machine's CPU time",
    ):
        holds(beside(0.5, 0.63), rates(16.0, 17.0))


def test_a_trial_that_fails_beside_a_load_is_made_once_more() -> None:
    assert holds(beside(0.5, 0.5), rates(0, 60.0))
    with pytest.raises(Inconclusive, match="no connection; meanwhile"):
        holds(beside(0.5, 0.5), rates(0, 0))
    with pytest.raises(TrialFailed, match="no connection"):
        holds(beside(0.5, 0.0), rates(0, 0))


def test_a_quantity_ends_early_only_if_it_may_and_gets_its_other_trials_if_it_misses() -> None:
    early = Series(lambda: 60.0, 3, lambda rate: rate >= FLOOR)
    beside(0, 0, 0).take(early)
    assert early.samples == [60.0]
    asked = Series(lambda: 60.0, 3, lambda rate: rate >= FLOOR)
    Sampling(samples=3).take(asked)
    assert len(asked.samples) == 4
    sampling, coming = beside(0, 0, 0), iter((10.0, 60.0, 70.0))
    missed = Series(lambda: next(coming), 3, lambda _: True)
    sampling.take(missed)
    assert sampling.holds(missed, lambda seen: sorted(seen)[len(seen) // 2] >= FLOOR, str)
    assert missed.samples == [10.0, 60.0]


LOOP = """\
import sys, time
end = time.process_time() + float(sys.argv[1])
while time.process_time() < end: pass
time.sleep(60)
"""
# As the first process of a process namespace that ends: the kernel has no wait for its children.
PARENT_THAT_DOES_NOT_WAIT = f"""\
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork():
    time.sleep(60)
{LOOP}"""


@contextlib.contextmanager
def foreign_process(cpu_s: float, script: str = LOOP) -> Iterator[int]:
    """Run a process that uses CPU time and then waits; its parent, a shell, has ended."""
    started = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -c "$1" {cpu_s} >/dev/null 2>&1 & echo $!', "sh", script],
        capture_output=True,
        text=True,
        check=True,
    )
    pid = int(started.stdout)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)


def test_work_of_other_processes_is_foreign_load_and_own_work_is_not() -> None:
    with watching()() as own:
        spent = time.process_time() + 0.3
        while time.process_time() < spent:
            pass
    with foreign_process(60) as pid:
        share, foreign = measured_beside(pid)
    assert foreign.share >= 0.8 * share > 0
    # The time of this process itself is in neither.
    assert own.share < 1


def test_a_process_that_ends_unwaited_for_takes_no_load_of_others_along() -> None:
    with foreign_process(3, PARENT_THAT_DOES_NOT_WAIT) as parent:
        while not (children := Path(f"/proc/{parent}/task/{parent}/children").read_text()):
            time.sleep(0.05)
        old = int(children)
        while _cpu_s(old) < 2.9:
            time.sleep(0.05)
        with foreign_process(60) as pid:
            share, foreign = measured_beside(pid, lambda: os.kill(old, 9))
    assert foreign.share >= 0.8 * share > 0


def measured_beside(pid: int, meanwhile: Callable[[], None] = lambda: None) -> tuple[float, Load]:
    """Return the share of the machine's time that a process got, and the load that was seen."""
    began = _cpu_s(pid)
    with watching()() as load:
        wall = time.monotonic()
        meanwhile()
        time.sleep(1)
        wall = time.monotonic() - wall
        # Within the watch: what came later could not be seen.
        spent = _cpu_s(pid) - began
    return spent / (wall * (os.cpu_count() or 1)), load


def _cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


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
