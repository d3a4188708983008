# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of host have the same words everywhere."""

from typing import get_args

import pytest

from contracts.host_kinds import HOST_WORDS, host_kind
from fixtures.host.hosts import HOSTS
from launcher.host_launch import LAUNCHES
from reports.record_types import HostRecord


def test_each_kind_has_its_classes_and_its_place_in_the_record() -> None:
    assert tuple(HOSTS) == tuple(LAUNCHES) == HOST_WORDS
    [words, _none] = get_args(HostRecord.model_fields["kind"].annotation)
    assert get_args(words) == HOST_WORDS


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(
        LookupError, match="called cloud; expected one of sandbox, lab, staged, local"
    ):
        host_kind("cloud")
