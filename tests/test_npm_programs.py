# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of npm: without its registry their tests are skipped; a mistake of ours fails."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.npm_programs import installed

LOCKED = Path(__file__).resolve().parent.parent / "ci" / "allure"

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _no_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry that refuses connections: its port is taken, and nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        registry = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        monkeypatch.setenv("npm_config_registry", registry)
        monkeypatch.setenv("npm_config_fetch_retries", "0")
        monkeypatch.setenv("PLUMBLINE_CACHE", str(tmp_path / "cache"))
        yield


def test_a_registry_out_of_reach_skips_the_test() -> None:
    with pytest.raises(pytest.skip.Exception, match=r"not reach its registry: .* ECONNREFUSED"):
        installed(LOCKED, "out-of-reach")


def test_a_file_that_npm_cannot_read_fails(tmp_path: Path) -> None:
    shutil.copy(LOCKED / "package-lock.json", tmp_path)
    (tmp_path / "package.json").write_text("{")
    with pytest.raises(AssertionError, match="code EJSONPARSE"):
        installed(tmp_path, "damaged")
