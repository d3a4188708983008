# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run was asked for and what was found out for it, once, for all of its processes."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from contracts.host_kinds import host_kind
from contracts.management_path import ManagementPath
from contracts.run_option import PROVE, RUN
from contracts.run_options import RUN_OPTIONS, options_of


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings of a run: its options (`contracts.run_options`), then what was found out.

    Attributes:
        topology: names and files of topologies; empty: all that are shipped.
        network: names of libvirt networks that the host has.
        bridge: names of bridges that the host has.
        existing: all of them.
        addresses: ranges set aside for guests on these, and on the wire of `outside`.
        host: the host under test.
        pf: the SR-IOV NIC whose functions guests get.
        uplink: the NIC that is the uplink of other topologies; None: the run makes one.
        allow_management_uplink: whether the uplink may carry the operator's own connection.
        management_path: the far end of that connection; None: it is found out.
        peer_nic: a NIC on the wire of either, for the outside.
        outside: a machine of the site's on the wire of `uplink` or beyond existing networks.
        spare_nic: a NIC on that wire that a guest may be given as it is.
        profile: the profile of a staged host, or of a lab.
        state: the folder that keeps a staged host's changes.
        subnets: the network of placed topologies' subnets; None: a free one.
        disruptive: whether checks that change something of the host's are made.
        plan: whether the run is only described.
        release: the release that the host runs; None: the machine's own.
        firewall_backend: what libvirt writes its rules with; None: its own choice.
        accel: how guests are to run.
        output: the folder of the record, absolute; None where pytest only lists, or makes no run.
        claim: only the checks that decide one of these; empty: all.
        after_build: a command that is run when a topology is up.
        expect: capabilities whose absence fails the run.
        expect_verdicts: the file of the verdicts that this run's are compared with.
        waive: the claims whose violations are waived, each until a day and for a reason.
        until: these days.
        why: these reasons.
        waivers: a file of further waivers.
        samples: of each quantity; None: as many as a check takes by itself.
        interleave: whether quantities are taken by turns.
        lang: the language of the terminal; None: English. Nothing of the record depends on it.
        prove: whether each topology is broken on purpose.
        fault: ids and files of faults; empty: all that are shipped.
        part: which of the faults.
        others: which of the checks that need not notice a fault are made beside it.
        folder: where the run was started.
        name_prefix: of names on a shared host; "": they are the documented ones.
        path: the management path, which the uplink carries; None: it carries none.
        accelerator: what guests do run under.
        accelerator_reason: why.
        findings: of each capability `state` and `detail`.
        missing: those of `expect` that the host lacks.
        left_out: the record's entry of each network of the host that `--existing` left out.
        faults: the record's entry of each fault of the run.
        expected: the record's entry of the expected verdicts; None: there are none.
        standard: the record's entry of the catalogue of claims.
        waived: the record's entry of each waiver.
        statements: the statement of each claim of the catalogue.
        sources: where each claim is documented.
        command: the command that was typed.
    """

    topology: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    bridge: tuple[str, ...] = ()
    existing: bool = False
    addresses: tuple[str, ...] = ()
    host: str = "sandbox"
    pf: str | None = None
    uplink: str | None = None
    allow_management_uplink: bool = False
    management_path: str | None = None
    peer_nic: str | None = None
    outside: str | None = None
    spare_nic: str | None = None
    profile: str | None = None
    state: str | None = None
    subnets: str | None = None
    disruptive: bool = False
    plan: bool = False
    release: str | None = None
    firewall_backend: str | None = None
    accel: str = "auto"
    output: Path | None = None
    claim: tuple[str, ...] = ()
    after_build: str | None = None
    expect: tuple[str, ...] = ()
    expect_verdicts: str | None = None
    waive: tuple[str, ...] = ()
    until: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    waivers: str | None = None
    samples: int | None = None
    interleave: bool = False
    lang: str | None = None
    prove: bool = False
    fault: tuple[str, ...] = ()
    part: str = "1/1"
    others: str = "all"

    folder: Path = Path()
    name_prefix: str = ""
    path: ManagementPath | None = None
    accelerator: str = ""
    accelerator_reason: str = ""
    findings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    left_out: tuple[Mapping[str, Any], ...] = ()
    faults: tuple[Mapping[str, Any], ...] = ()
    expected: Mapping[str, Any] | None = None
    standard: Mapping[str, Any] | None = None
    waived: tuple[Mapping[str, Any], ...] = ()
    statements: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()

    @classmethod
    def from_options(cls, options: argparse.Namespace) -> "RunSettings":
        """Return the settings of a run as it was asked for."""
        given = {option.name: getattr(options, option.name) for option in RUN_OPTIONS}
        return cls(**_with_tuples(given))

    @classmethod
    def from_json(cls, text: str) -> "RunSettings":
        """Return the settings that `to_json` made this text of."""
        data: dict[str, Any] = json.loads(text)
        output = data["output"]
        parts = {
            "folder": Path(data["folder"]),
            "output": None if output is None else Path(output),
            "path": None if data["path"] is None else ManagementPath(**data["path"]),
        }
        return cls(**_with_tuples(data) | parts)

    def to_json(self) -> str:
        """Return them as text, for another process."""
        return json.dumps(asdict(self), default=str)

    @property
    def record_folder(self) -> Path:
        """The folder of the record.

        Raises:
            ValueError: no record is written.
        """
        if self.output is None:
            raise ValueError("this pytest writes no record: it has no --output")
        return self.output

    @property
    def names_existing(self) -> bool:
        """Whether networks that the host has are asked for."""
        return bool(self.network or self.bridge or self.existing)

    def rerun_argv(
        self, place: str, *, topology: str, by: str = "--topology", fault: str | None = None
    ) -> list[str]:
        """Return the command that makes one check again, on a host like this run's.

        Args:
            place: the check, as a path with a node id.
            topology: the name or the file of its topology, or of the host's network.
            by: the option that selects it.
            fault: the id, or the file and id, of the fault that the topology was built with.
        """
        subcommand = RUN if fault is None else PROVE
        subject = (by, topology) if fault is None else ("--fault", fault)
        words = ["./plumbline", subcommand, *subject]
        for option in options_of(subcommand):
            value = getattr(self, option.name)
            brought_along = option.names_a_nic and host_kind(self.host).brings_nics
            if not option.rerun or option.is_default(value) or brought_along:
                continue
            if not option.takes_value:
                words.append(option.flag)
            elif isinstance(value, tuple) or str(value).startswith("-"):
                words += option.argv(value)
            else:
                words += [option.flag, str(value)]
        return [*words, "--", place]


class Configured(Protocol):
    """What keeps the settings: pytest's `Config`."""

    option: argparse.Namespace


def keep_settings(config: Configured, settings: RunSettings) -> None:
    """Keep a run's settings where all plugins of this process find them."""
    config.option.plumbline_settings = settings


def settings_of(config: Configured) -> RunSettings:
    """Return the settings of the run; for a pytest that makes no run, settings without output."""
    kept = getattr(config.option, "plumbline_settings", None)
    return kept if isinstance(kept, RunSettings) else RunSettings()


def _with_tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
    }
