# SPDX-License-Identifier: GPL-2.0-or-later
"""A run's settings: from its options, to another process, and as the command for one check."""

import shlex
from argparse import Namespace
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import pytest

from contracts.run_options import RUN_OPTIONS
from contracts.run_settings import RunSettings, keep_settings, settings_of
from launcher import prove, run

PLACE = "suites/test_nat.py::test_masquerade[nat]"
FULL = RunSettings(
    topology=("nat", "my.yaml"),
    release="bullseye",
    firewall_backend="nftables",
    output=Path("/var/a folder/run"),
    claim=("NT-09",),
    after_build="""echo "it's up" > 'a b'""",
    expect=("kvm", "ovs"),
    samples=8,
    interleave=True,
    folder=Path("/home/site"),
    accelerator="tcg",
    accelerator_reason="no /dev/kvm",
    findings={"kvm": {"state": "no", "detail": "no /dev/kvm"}},
    missing=("kvm",),
    faults=({"id": "nat-no-masquerade", "caught_by": ["NT-09"], "undo": None},),
    statements={"NT-09": "Packets are masqueraded"},
    sources={"NT-09": "D4: NAT"},
    command=("./plumbline", "run"),
)


@pytest.mark.parametrize("settings", [RunSettings(), FULL], ids=["defaults", "full"])
def test_another_process_reads_the_same_settings(settings: RunSettings) -> None:
    assert RunSettings.from_json(settings.to_json()) == settings


def test_settings_are_what_the_parsed_options_say() -> None:
    words = ["--topology", "nat", "--expect", "ovs, kvm", "--expect", "vlan", "--samples", "3"]
    words += ["--output", "out", "--interleave", "--host", "local", "--pf", "eth1"]
    assert RunSettings.from_options(run.parser().parse(words)) == RunSettings(
        topology=("nat",),
        expect=("ovs", "kvm", "vlan"),
        samples=3,
        output=Path("out"),
        interleave=True,
        host="local",
        pf="eth1",
    )


def test_each_option_is_a_setting_with_the_same_default() -> None:
    defaults = {field.name: getattr(RunSettings(), field.name) for field in fields(RunSettings)}
    for option in RUN_OPTIONS:
        assert option.is_default(defaults[option.name]), option.name


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        FULL.host = "lab"  # type: ignore[misc]  # that it is refused is the test


def test_a_pytest_that_makes_no_run_has_no_folder_for_a_record() -> None:
    config = Namespace(option=Namespace())
    with pytest.raises(ValueError, match="no record"):
        _ = settings_of(config).record_folder
    keep_settings(config, FULL)
    assert settings_of(config).record_folder == FULL.output


def parsed(command: list[str]) -> RunSettings:
    """Return what the launcher makes of a command, read as a shell would."""
    _plumbline, subcommand, *words = shlex.split(shlex.join(command))
    parser = {"run": run.parser, "prove": prove.parser}[subcommand]()
    own, place = words[: words.index("--")], words[words.index("--") + 1 :]
    assert place == [PLACE]
    return RunSettings.from_options(parser.parse(own))


@pytest.mark.parametrize(
    "settings",
    [
        RunSettings(),
        RunSettings(samples=8, interleave=True, accel="tcg"),
        RunSettings(after_build="""echo "it's up" > 'a b' -- c"""),
        RunSettings(after_build="-n; true"),
        RunSettings(release="bullseye", firewall_backend="iptables"),
        RunSettings(host="local", pf="eth1", peer_nic="eth2", spare_nic="eth3"),
    ],
)
def test_a_check_is_made_again_as_it_was_made(settings: RunSettings) -> None:
    again = parsed(settings.rerun_argv(PLACE, topology="/a b/my.yaml"))
    assert again == replace(settings, topology=("/a b/my.yaml",))


def test_what_is_not_of_one_check_is_not_in_its_command() -> None:
    command = FULL.rerun_argv(PLACE, topology="nat")
    assert shlex.join(command) == (
        "./plumbline run --topology nat --release bullseye --firewall-backend nftables "
        """--after-build 'echo "it'"'"'s up" > '"'"'a b'"'"'' --samples 8 --interleave """
        "-- 'suites/test_nat.py::test_masquerade[nat]'"
    )


def test_beside_a_fault_it_is_a_proof_without_what_a_proof_does_not_take() -> None:
    settings = replace(FULL, prove=True, fault=("nat-no-masquerade", "nat-two"), part="1/3")
    again = parsed(settings.rerun_argv(PLACE, topology="nat", fault="nat-no-masquerade"))
    assert again == RunSettings(
        prove=True,
        fault=("nat-no-masquerade",),
        release="bullseye",
        firewall_backend="nftables",
    )


def test_a_lab_brings_its_nics_along() -> None:
    settings = RunSettings(host="lab", pf="ens1", peer_nic="ens2", spare_nic="ens3")
    assert parsed(settings.rerun_argv(PLACE, topology="passthrough")) == RunSettings(
        host="lab", topology=("passthrough",)
    )
