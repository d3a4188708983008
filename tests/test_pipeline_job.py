# SPDX-License-Identifier: GPL-2.0-or-later
"""`ci/qualify` without a network: options, baselines, and the outcome's words in summary.md."""

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.pipeline_clone import PipelineClone, executable, recorded

GREEN, RED = "green", "red"
UNKNOWN = "unknown: not everything was decided"


@pytest.fixture
def clone(tmp_path: Path) -> PipelineClone:
    return PipelineClone(tmp_path / "clone")


def first_line(clone: PipelineClone, output: str = "made") -> str:
    return (clone.folder / output / "summary.md").read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" ", []),
        (" \n", []),
        (" --topology nat ", ["--topology", "nat"]),
        ("--after-build 'ip link; false' --x=\"\"", ["--after-build", "ip link; false", "--x="]),
        (r"--topology a\ b ''", ["--topology", "a b", ""]),
        ("$HOME `id` $(id) * # no comment", ["$HOME", "`id`", "$(id)", "*", "#", "no", "comment"]),
        ("-- -k dhcp", ["--", "-k", "dhcp"]),
    ],
)
def test_options_are_words_as_in_a_shell(clone: PipelineClone, text: str, words: list[str]) -> None:
    done = clone.qualify("--output", "made", "--options", text, "--", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert clone.options_of_the_run() == [*words, "--workers", "1"]


@pytest.mark.parametrize("text", ["--topology 'nat", '"', "--after-build x\\"])
def test_options_that_do_not_end_are_an_error_and_no_run(clone: PipelineClone, text: str) -> None:
    page = clone.folder / "page.md"
    done = clone.qualify("--output", "made", "--options", text, GITHUB_STEP_SUMMARY=str(page))
    assert (done.returncode, done.stdout) == (4, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"ci/qualify: --options {text}: expected an end of each quotation")
    assert page.read_text().startswith("**Plumbline: usage or data error (--options ")
    assert clone.called("run") is None


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (0, GREEN),
        (1, RED),
        (4, "usage or data error"),
        (10, UNKNOWN),
        (11, "a capability that was expected is missing"),
        (130, "interrupted"),
        (137, "ended with 137"),
    ],
)
def test_each_outcome_has_its_words(clone: PipelineClone, code: int, outcome: str) -> None:
    clone.ends_with(code)
    page = clone.folder / "page.md"
    done = clone.qualify("--output", "made", GITHUB_STEP_SUMMARY=str(page))
    assert (done.returncode, done.stdout) == (code, f"ci/qualify: {outcome}\n")
    assert first_line(clone) == f"**Plumbline: {outcome}**"
    summary = (clone.folder / "made" / "summary.md").read_text()
    assert page.read_text() == summary
    assert ("# The run" in summary) == (code in {0, 1, 10, 11})


@pytest.mark.parametrize(
    ("code", "compared", "ends_with", "outcome"),
    [
        (1, 0, 0, "green, compared with the baseline"),
        (0, 1, 1, "red, compared with the baseline"),
        (0, 10, 10, "unknown, compared with the baseline: not everything was decided"),
        (11, 0, 11, "a capability that was expected is missing"),
        (0, 4, 4, "usage or data error (the comparison could not be made)"),
    ],
)
def test_with_a_baseline_the_outcome_is_the_comparisons(
    clone: PipelineClone, code: int, compared: int, ends_with: int, outcome: str
) -> None:
    clone.has_baseline()
    clone.ends_with(code, compared)
    done = clone.qualify("--output", "made", "--baseline", "baseline")
    assert done.returncode == ends_with
    assert first_line(clone) == f"**Plumbline: {outcome}**"
    summary = (clone.folder / "made" / "summary.md").read_text()
    assert summary.index("# The run") < summary.index("# The comparison")


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        (["conforms", "not-testable"], "green"),
        (["conforms", "waived"], "not red: 1 violated claim waived"),
        (["waived", "waived"], "not red: 2 violated claims waived"),
        # A run with --expect-verdicts ends with 0 where a violation is expected.
        (["conforms", "violates"], "not red: 1 violated claim expected"),
    ],
)
def test_a_run_with_violations_is_never_green(
    clone: PipelineClone, verdicts: list[str], outcome: str
) -> None:
    clone.records(*verdicts)
    done = clone.qualify("--output", "made")
    assert (done.returncode, done.stdout) == (0, f"ci/qualify: {outcome}\n")
    assert first_line(clone) == f"**Plumbline: {outcome}**"


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        (["conforms", "not-testable"], "green, compared with the baseline"),
        (
            ["conforms", "waived", "violates", "violates"],
            "not red, compared with the baseline: 1 violated claim waived, 2 violated claims known",
        ),
        (
            ["conforms", "inconclusive", "error"],
            "not red, compared with the baseline: 2 checks undecided",
        ),
    ],
)
def test_what_the_baseline_has_as_well_is_never_green(
    clone: PipelineClone, verdicts: list[str], outcome: str
) -> None:
    clone.has_baseline(*verdicts)
    clone.records(*verdicts)
    clone.ends_with(10 if "error" in verdicts else 1)
    done = clone.qualify("--output", "made", "--baseline", "baseline")
    assert done.returncode == 0
    assert first_line(clone) == f"**Plumbline: {outcome}**"


@pytest.mark.parametrize(
    ("check", "topology", "outcome"),
    [
        # It could not be taken down.
        ("conforms", "error", "1 network undecided"),
        ("inconclusive", "violates", "1 network refused by the host, 1 check undecided"),
        ("violates", "violates", "1 violated claim known"),
    ],
)
def test_the_verdict_of_a_network_beside_its_checks_is_named(
    clone: PipelineClone, check: str, topology: str, outcome: str
) -> None:
    clone.has_baseline()
    record = json.loads(recorded(check))
    record["topologies"] = [{"name": "nat", "verdict": topology}]
    (clone.folder / "record").write_text(json.dumps(record))
    clone.ends_with(1 if topology == "violates" else 10)
    done = clone.qualify("--output", "made", "--baseline", "baseline")
    assert done.returncode == 0
    assert first_line(clone) == f"**Plumbline: not red, compared with the baseline: {outcome}**"


@pytest.mark.parametrize(
    ("run_lines", "comparison_lines", "taken", "left_out"),
    [
        (10, 10, 0, set()),
        (20_000, 10, 0, set()),
        (28_330, 10, 0, {"report.html"}),
        (10, 28_330, 0, {"changes.html"}),
        (28_000, 28_000, 0, {"report.html", "changes.html"}),
        (28_000, 2_000, 0, {"report.html"}),
        (20_000, 10, 500_000, {"report.html"}),
    ],
)
def test_githubs_page_is_never_beyond_what_it_takes(
    clone: PipelineClone, run_lines: int, comparison_lines: int, taken: int, left_out: set[str]
) -> None:
    """Each page keeps to 1 MiB by itself; of both what does not fit is named."""
    # 37 octets, of which two are one letter.
    row = "| NT-01 | \u00fc23456789 123456789 123 |\n"
    clone.pages(f"# The run\n{row * run_lines}", f"# The comparison\n{row * comparison_lines}")
    clone.has_baseline()
    page = clone.folder / "page.md"
    page.write_text("x" * taken)
    done = clone.qualify(
        "--output", "made", "--baseline", "baseline", GITHUB_STEP_SUMMARY=str(page)
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = page.read_text().removeprefix("x" * taken)
    room = (1 << 20) - taken
    assert len(shown.encode()) <= room
    named = set(re.findall(r"GitHub shows at most: (\S+)\*\* is in the artifact", shown))
    assert named == left_out
    if left_out:
        # Not more is left out than has to be.
        assert len(shown.encode()) > room - 2 * len(row.encode()) * len(left_out)
    assert shown.startswith("**Plumbline: green, compared with the baseline**\n\n# The run\n| NT")
    assert "\n\n# The comparison\n| NT" in shown
    assert {line for line in shown.splitlines() if line.startswith("|")} == {row.strip()}
    # The artifact has both pages whole.
    summary = (clone.folder / "made" / "summary.md").read_text()
    assert summary.count(row) == run_lines + comparison_lines


def test_the_comparison_is_in_no_fold_of_a_page_that_was_cut(clone: PipelineClone) -> None:
    row = "| NT-01 | 23456789 123456789 123456 |\n"
    fold = f"<details>\n<summary>NT-01</summary>\n\n{row * 9000}\n</details>\n\n"
    clone.pages(f"# The run\n{fold * 4}", "# The comparison\n")
    clone.has_baseline()
    page = clone.folder / "page.md"
    clone.qualify("--output", "made", "--baseline", "baseline", GITHUB_STEP_SUMMARY=str(page))
    shown = page.read_text()
    assert len(shown.encode()) <= 1 << 20
    before, _, after = shown.partition("**The rest does not fit")
    assert before.count("<details>") == before.count("</details>") == 4
    assert "# The comparison" in after


@pytest.mark.parametrize("code", [0, 1])
def test_a_job_without_a_record_is_unknown(clone: PipelineClone, code: int) -> None:
    """As with --help among the options, or with a launcher that breaks."""
    executable(clone.folder / "plumbline", f"#!/bin/sh\nexit {code}\n")
    done = clone.qualify("--output", "made")
    assert done.returncode == 10
    assert first_line(clone).startswith(f"**Plumbline: {UNKNOWN} (the run left no record in ")


def test_the_pages_of_an_earlier_job_stay(clone: PipelineClone) -> None:
    clone.ends_with(0)
    assert clone.qualify("--output", "made").returncode == 0
    before = (clone.folder / "made" / "summary.md").read_text()
    for words in ([], ["--options", "'"], ["--nonsense"]):
        done = clone.qualify("--output", "made", *words)
        assert done.returncode == 4
    assert (clone.folder / "made" / "summary.md").read_text() == before


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_a_job_that_is_cut_off_is_not_green(clone: PipelineClone, sent: signal.Signals) -> None:
    """Bash ends at once, with the status of whatever command was the last before."""
    executable(clone.folder / "plumbline", "#!/bin/sh\necho begun\nexec cat\n")
    argv = [str(clone.folder / "ci" / "qualify"), "--output", "made"]
    with subprocess.Popen(
        # Below nohup, hangups are ignored.
        ["env", "--default-signal=HUP,TERM", *argv],
        cwd=clone.folder,
        env=clone.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "begun\n"
        job.send_signal(sent)
        assert job.wait(60) == -sent
        assert job.stdin is not None
        job.stdin.close()
        assert job.stdout.read() == "ci/qualify: unknown: the job was cut off\n"
    assert first_line(clone) == "**Plumbline: unknown: the job was cut off**"


@pytest.mark.parametrize(("code", "word"), [(0, UNKNOWN), (1, RED), (10, UNKNOWN)])
def test_a_job_that_breaks_off_has_a_summary(clone: PipelineClone, code: int, word: str) -> None:
    executable(clone.folder / "plumbline", full_disk(code))
    done = clone.qualify("--output", "made")
    assert done.returncode == (1 if word == RED else 10)
    assert first_line(clone).startswith(f"**Plumbline: {word} (the job broke off: line ")
    assert "the job broke off: line " in done.stderr


def full_disk(code: int) -> str:
    """A ./plumbline whose run ends with a code and has a record, and whose reports fail."""
    return f'#!/bin/sh\n[ "$1" = run ] || exit 1\nmkdir "$3"; touch "$3/run.json"; exit {code}\n'


@pytest.mark.parametrize("compared_with", [None, "empty", "record"])
@pytest.mark.parametrize("code", [0, 1, 10, 11])
def test_a_report_that_fails_decides_nothing(
    clone: PipelineClone, code: int, compared_with: str | None
) -> None:
    """A run, and a disk that is full for its page: only a run that is red by itself stays red."""
    executable(clone.folder / "plumbline", full_disk(code))
    baseline = clone.folder / "baseline"
    if compared_with is not None:
        baseline.mkdir()
    if compared_with == "record":
        (baseline / "run.json").touch()
    given = () if compared_with is None else ("--baseline", str(baseline))
    done = clone.qualify("--output", "made", *given)
    stays = code == 11 or (code == 1 and compared_with != "record")
    assert done.returncode == (code if stays else 10)


def test_each_set_of_options_has_a_baseline_of_its_own(clone: PipelineClone) -> None:
    """A run on demand with other options is neither compared with the night's nor kept as such."""
    sets = ("", "--topology nat", "--topology 'nat x'", "--topology nat --workers 1")
    for number, options in enumerate(sets):
        done = clone.qualify("--output", f"{number}", "--baselines", "kept", "--options", options)
        assert "this run is the baseline now: kept/" in done.stdout
        assert clone.called("compare") is None
    names = sorted(folder.name for folder in (clone.folder / "kept").iterdir())
    readable = [name.rpartition("-")[0] for name in names]
    expected = ["default", "topology-nat", "topology-nat-workers-1", "topology-nat-x"]
    assert sorted(readable) == expected

    again = clone.qualify("--output", "again", "--baselines", "kept/", "--", "--topology", "nat")
    assert again.returncode == 0
    compared = clone.called("compare")
    assert compared is not None
    assert compared[0].startswith("kept/topology-nat-")
    assert len(list((clone.folder / "kept").iterdir())) == len(sets)


@pytest.mark.parametrize(("one", "many"), [("baseline", "baselines"), ("history", "histories")])
def test_one_and_a_folder_of_them_are_not_both_taken(
    clone: PipelineClone, one: str, many: str
) -> None:
    done = clone.qualify("--output", "made", f"--{one}", "one", f"--{many}", "many")
    assert done.returncode == 4
    assert f"--{many} many: expected alone, and --{one} is there as well" in done.stderr
    assert clone.called("run") is None


@pytest.mark.parametrize(("option", "found"), [("history", "a folder"), ("histories", "a file")])
def test_a_history_in_the_wrong_place_is_refused_before_the_run(
    clone: PipelineClone, option: str, found: str
) -> None:
    clone.add_allure()
    place = clone.folder / "place"
    if found == "a folder":
        place.mkdir()
    else:
        place.touch()
    done = clone.qualify("--output", "made", f"--{option}", "place")
    assert done.returncode == 4
    assert f", found {found}" in done.stderr
    assert clone.called("run") is None


def test_allure_and_its_node_are_found_in_the_path_of_sudos_caller(clone: PipelineClone) -> None:
    """And nothing else is: the run's programs are root's."""
    clone.add_allure()
    elsewhere = clone.folder / "npm"
    text = (clone.programs / "allure").read_text().replace("env python3", "env node-of-npm")
    executable(elsewhere / "allure", text)
    executable(elsewhere / "node-of-npm", '#!/bin/sh\nexec python3 "$@"\n')
    (clone.programs / "allure").unlink()
    executable(elsewhere / "python3", "#!/bin/sh\nexit 1\n")
    words = ("--output", "made", "--history", "history.jsonl")
    refused = clone.qualify(*words)
    assert refused.returncode == 4
    assert "expected Allure 3 in the PATH, found none" in refused.stderr
    refused = clone.qualify(*words, "--path", str(clone.folder))
    assert "expected Allure 3 in the PATH or --path, found none" in refused.stderr
    done = clone.qualify(*words, "--path", str(elsewhere))
    assert done.returncode == 0, done.stderr
    assert (clone.folder / "made" / "allure.html").read_text() == "# The trend\n"


def test_a_page_of_allure_that_fails_makes_a_green_job_unknown(clone: PipelineClone) -> None:
    executable(clone.programs / "allure", "#!/bin/sh\n[ $1 = --version ] && echo 3.0.0\n")
    done = clone.qualify("--output", "made", "--history", "history.jsonl")
    assert done.returncode == 10
    assert first_line(clone) == f"**Plumbline: {UNKNOWN} (Allure's page could not be made)**"


def test_nothing_is_shown_for_help(clone: PipelineClone) -> None:
    page = clone.folder / "page.md"
    done = clone.qualify("--help", GITHUB_STEP_SUMMARY=str(page))
    assert done.returncode == 0
    assert done.stdout.startswith("usage: ")
    assert not page.exists()
