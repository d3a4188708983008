# SPDX-License-Identifier: GPL-2.0-or-later
"""The bridges of `tests/host_files`, and the verdicts that each must get."""

from pathlib import Path

from tests.field_networks import Expected
from topologies import yaml_reader

FOLDER = Path(__file__).resolve().parent / "host_files"
VERDICTS = FOLDER.with_name("host_file_verdicts.yaml")


class ExpectedBridge(Expected):
    """What one bridge must get; `host_file_verdicts.yaml` says what the keys mean."""

    by_ifup: bool = False


def expected_bridges() -> dict[str, ExpectedBridge]:
    """Return what each bridge must get, by `FILE#BRIDGE`."""
    data = yaml_reader.read(VERDICTS).data
    return {name: ExpectedBridge.model_validate(each) for name, each in data.items()}
