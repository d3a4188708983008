# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of host have the same words everywhere."""

import argparse
from typing import get_args

import pytest

from contracts.host_kinds import HOST_KINDS, HOST_WORDS, host_kind
from contracts.run_option import RUN
from contracts.run_options import RUN_OPTIONS
from fixtures.host.hosts import HOSTS
from launcher.host_launch import LAUNCHES
from launcher.launcher_error import UsageError
from reports.record_types import HostRecord


def test_each_kind_has_its_classes_and_its_place_in_the_record() -> None:
    assert tuple(HOSTS) == tuple(LAUNCHES) == HOST_WORDS
    [words, _none] = get_args(HostRecord.model_fields["kind"].annotation)
    assert get_args(words) == HOST_WORDS


@pytest.mark.parametrize(
    ("word", "option"),
    [
        *((kind.word, "profile") for kind in HOST_KINDS if not kind.has_profiles),
        *((kind.word, "state") for kind in HOST_KINDS if not kind.is_kept),
    ],
)
def test_what_only_a_host_that_is_made_has_is_refused_for_others(word: str, option: str) -> None:
    given = dict.fromkeys([each.name for each in RUN_OPTIONS]) | {option: "mine", "topology": []}
    with pytest.raises(UsageError, match=f"--{option}: not with --host {word}"):
        LAUNCHES[word].require(RUN, argparse.Namespace(**given))


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(
        LookupError, match="called cloud; expected one of sandbox, lab, staged, local"
    ):
        host_kind("cloud")
