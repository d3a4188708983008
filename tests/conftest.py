# SPDX-License-Identifier: GPL-2.0-or-later
"""The order of the harness's own tests."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the linters: mypy takes longest, and one worker has it while others go on."""
    items.sort(key=lambda item: item.name not in ("test_mypy", "test_ruff_check"))
