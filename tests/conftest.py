# SPDX-License-Identifier: GPL-2.0-or-later
"""The order of the harness's own tests, and those that are made by turns."""

import pytest

from tests.dumped_topologies import dumped_topologies
from tests.field_networks import expected
from tests.host_file_verdicts import expected_bridges
from topologies.cli_names import require_part
from topologies.data_error import DataError

# Two of the networks; CI has another part each time.
FIRST_PART = "1/15"
# Whole runs, some with a host booted for each. CI makes a part of these tests each time, dealt out
# one by one; without the option all are made.
WHOLE_RUNS = (
    *("test_as_it_was", "test_bridged_ipv6", "test_bystander", "test_existing_dhcp6"),
    *("test_existing_ipv6", "test_existing_networks", "test_existing_record"),
    *("test_expected_run", "test_fleet_playbook", "test_from_nothing", "test_gate"),
    *("test_gate_rehearsals", "test_host_network", "test_lab_clock", "test_lab_profile"),
    *("test_fleet_bare", "test_lab_faults"),
    *("test_local", "test_obstacles", "test_outside", "test_outside_run", "test_pack"),
    *("test_pack_rehearsals", "test_pipelines", "test_placed_run", "test_prove"),
    *(
        "test_static_ipv6",
        "test_release",
        "test_runs",
        "test_sampling",
        "test_staged",
        "test_tidiness",
        "test_watchdog",
    ),
    *("test_dhcp6_networks", "test_mtu_networks", "test_unmanaged_links", "test_xml_topologies"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that says which networks of the field are run for real."""
    parser.addoption(
        "--networks",
        default=FIRST_PART,
        metavar="all|I/N",
        help="the networks of tests/networks, the bridges of tests/host_files and the dumps of "
        "shipped networks that are run for real: all, or the I-th of N parts",
    )
    parser.addoption(
        "--whole-runs",
        default="1/1",
        metavar="I/N",
        help="of the tests of whole runs only every N-th, from the I-th on",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test the networks, or bridges, whose turn it is."""
    for fixture, every in (
        ("in_turn", expected),
        ("bridge_in_turn", expected_bridges),
        ("dumped_in_turn", dumped_topologies),
    ):
        if fixture in metafunc.fixturenames:
            wanted = metafunc.config.getoption("--networks")
            first, step = (1, 1) if wanted == "all" else _part(metafunc.config, "--networks")
            metafunc.parametrize(fixture, list(every())[first - 1 :: step])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out whole runs whose turn it is not; begin with the linters.

    mypy takes longest, and one worker has it while others go on.
    """
    first, step = _part(config, "--whole-runs")
    whole = [item for item in items if item.path.stem in WHOLE_RUNS and _is_real(item)]
    left_out = [item for number, item in enumerate(whole) if number % step != first - 1]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    items.sort(key=lambda item: item.name not in ("test_mypy", "test_ruff_check"))


def _is_real(item: pytest.Item) -> bool:
    """Whether a test needs a sandbox, a staged host or a lab, and not the launcher alone."""
    return any(item.get_closest_marker(name) for name in ("host", "staged", "lab"))


def _part(config: pytest.Config, option: str) -> tuple[int, int]:
    """Return the part of an option as numbers."""
    value = config.getoption(option)
    try:
        return require_part(value)
    except DataError as error:
        raise pytest.UsageError(f"{option} {value}: expected I/N, the I-th of N parts") from error
