# SPDX-License-Identifier: GPL-2.0-or-later
"""The order of the harness's own tests, and those that are made by turns."""

import pytest

from tests.field_networks import expected
from topologies.cli_names import require_part

# Two of the networks; CI has another part each time.
FIRST_PART = "1/15"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that says which networks of the field are run for real."""
    parser.addoption(
        "--networks",
        default=FIRST_PART,
        metavar="all|I/N",
        help="the networks of tests/networks that are run for real: all, or the I-th of N parts",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test the networks whose turn it is."""
    if "in_turn" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("--networks")
        first, step = (1, 1) if wanted == "all" else require_part(wanted)
        metafunc.parametrize("in_turn", list(expected())[first - 1 :: step])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the linters: mypy takes longest, and one worker has it while others go on."""
    items.sort(key=lambda item: item.name not in ("test_mypy", "test_ruff_check"))
