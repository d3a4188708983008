# SPDX-License-Identifier: GPL-2.0-or-later
"""A host whose clock is set back while a run is at work: a lab, which has a clock of its own."""

import json
from pathlib import Path

import jsonschema
import pytest

from tests.launched import SCHEMA, launched


@pytest.mark.lab
def test_a_clock_that_is_set_back_makes_no_violation(tmp_path: Path) -> None:
    words = ["--host", "lab", "--topology", "nat", "--claim=NT-03", "--claim=NT-07"]
    # No check has the guests' leases renewed before NT-07 reads their ends.
    back = "date --set '1 hour ago'"
    done, record = launched("run", tmp_path / "run", *words, "--after-build", back)
    assert done.returncode == 10, done.stdout + done.stderr
    jsonschema.validate(record, json.loads(SCHEMA.read_text()))
    # How long it took is not read off the clock that was set.
    assert record["finished"] > record["started"]
    verdicts = {
        claim: (check["verdict"], check["reason"])
        for check in record["checks"]
        for claim in check["claims"]
    }
    assert verdicts["NT-03"][0] == "conforms"
    verdict, reason = verdicts["NT-07"]
    assert verdict == "inconclusive"
    assert "the host's clock was set by -3600 s during the run" in reason
