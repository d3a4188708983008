# SPDX-License-Identifier: GPL-2.0-or-later
"""Doctor of sandboxes: this machine's capabilities, and how missing ones are added."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import NamedTuple, TextIO

from contracts.exit_codes import EXIT_CONFORMS, EXIT_MISSING_CAPABILITY
from launcher import hardware_probes, kernel_probes, tool_probes
from launcher.colours import Colour, painter
from launcher.finding import Finding, State
from launcher.wrapped import wrapped


class Row(NamedTuple):
    """A row of the table."""

    title: str
    probe: Callable[[], Finding]


class Diagnosis(NamedTuple):
    """A row's outcome: `needed` by the topologies of this version or not."""

    title: str
    needed: bool
    finding: Finding


# Each of the topologies needs all of these; without one, doctor ends with 11.
NEEDED = (
    Row("system packages", tool_probes.other_tools),
    Row("namespaces", kernel_probes.namespaces),
    Row("/dev/net/tun", kernel_probes.tun),
    Row("bridge, veth, TAP", kernel_probes.links),
    Row("overlayfs", kernel_probes.overlayfs),
    Row("libvirt", tool_probes.libvirt),
    Row("QEMU", tool_probes.qemu),
    Row("QEMU's NICs", tool_probes.qemu_nics),
    Row("Open vSwitch", tool_probes.ovs),
    Row("iptables", kernel_probes.iptables),
    Row("dnsmasq", tool_probes.dnsmasq),
    Row("iperf3", tool_probes.iperf3),
    Row("virtual environment", tool_probes.virtual_environment),
    Row("guest image", tool_probes.guest_image),
    Row("disk space", tool_probes.disk_space),
)
# Rows that set-up fixes by itself, the packages' programs included.
SET_UP = {
    *("system packages", "libvirt", "QEMU", "QEMU's NICs", "Open vSwitch", "iptables", "dnsmasq"),
    *("brctl", "iperf3", "virtual environment", "guest image"),
}
# These make a run faster, or decide single claims; a run without one reports which.
FURTHER = (
    Row("root", kernel_probes.root),
    Row("KVM", hardware_probes.kvm),
    Row("OVS kernel datapath", kernel_probes.ovs_kernel),
    Row("nftables", kernel_probes.nftables),
    Row("bridge netfilter", kernel_probes.bridge_nf),
    Row("brctl", tool_probes.brctl),
    Row("802.1Q devices", kernel_probes.vlan),
    Row("bonding", kernel_probes.bonding),
    Row("netem", kernel_probes.netem),
    Row("htb", kernel_probes.htb),
    Row("virt-install", tool_probes.virt_install),
    Row("vhost-net", hardware_probes.vhost),
    Row("IOMMU", hardware_probes.iommu),
    Row("SR-IOV NICs", hardware_probes.sriov),
)


def sandbox(*, as_json: bool) -> int:
    """Probe, print, and return 0 if the topologies can be run in a sandbox, else 11."""
    diagnoses = diagnose()
    code = exit_code(diagnoses)
    if as_json:
        print(json.dumps(_as_json(diagnoses, code), indent=2))
    else:
        # A closed pipe (`| head`) is no error.
        with contextlib.suppress(BrokenPipeError):
            render(diagnoses, sys.stdout)
    return code


def diagnose() -> list[Diagnosis]:
    """Run every probe."""
    found = [Diagnosis(row.title, True, row.probe()) for row in NEEDED]
    if sys.stderr.isatty():
        print("probing (proving KVM can take 8 s, once per boot)", file=sys.stderr)
    return found + [Diagnosis(row.title, False, row.probe()) for row in FURTHER]


def exit_code(diagnoses: Iterable[Diagnosis]) -> int:
    """Return 11 if something that every topology needs is known to be missing, else 0."""
    missing = any(d.needed and d.finding.state == State.NO for d in diagnoses)
    return EXIT_MISSING_CAPABILITY if missing else EXIT_CONFORMS


def _as_json(diagnoses: Iterable[Diagnosis], code: int) -> dict[str, object]:
    """Return the findings as `doctor --json` prints them."""
    return {
        "schema": "plumbline/doctor/1",
        "sandbox": code == EXIT_CONFORMS,
        "findings": [
            {"title": d.title, "needed": d.needed, **asdict(d.finding)} for d in diagnoses
        ],
    }


def render(diagnoses: Sequence[Diagnosis], out: TextIO) -> None:
    """Print the table; colours only on a terminal, and not where NO_COLOR is set."""
    paint = painter(out)
    title_width = max(len(d.title) for d in diagnoses)
    state_width = max(len(state) for state in State)
    indent = " " * (2 + title_width + 2 + state_width + 2)
    for needed, heading in (
        (True, "what every topology needs"),
        (False, "what single claims or more speed need"),
    ):
        print(heading, file=out)
        for row in (d for d in diagnoses if d.needed == needed):
            state = row.finding.state
            detail = wrapped(row.finding.detail, indent)
            head = f"  {row.title:<{title_width}}  "
            print(head + paint(f"{state:<{state_width}}", _colour(row)), detail, file=out, sep="  ")
            if row.finding.fix:
                fix = wrapped(_fix(row.finding), indent)
                print(paint(indent + fix, Colour.DIM), file=out)
        print(file=out)
    print(conclusion(diagnoses), file=out)


def conclusion(diagnoses: Sequence[Diagnosis]) -> str:
    """Return the closing line: can the topologies be run, and if not, what is missing."""
    lacking = [d.title for d in diagnoses if d.needed and d.finding.state == State.NO]
    if lacking:
        said = f"The topologies cannot be run in a sandbox yet; missing: {', '.join(lacking)}."
        if set(lacking) <= SET_UP:
            said += " `sudo ./plumbline run` sets that up."
    elif unproven := [d.title for d in diagnoses if d.needed and not _is_known(d.finding)]:
        said = (
            "Nothing that the topologies need is known to be missing. Not proven: "
            f"{', '.join(unproven)}."
        )
    else:
        said = "The topologies can be run in a sandbox: sudo ./plumbline run"
    return wrapped(said, "")


def _is_known(finding: Finding) -> bool:
    return finding.state != State.NOT_PROVEN


def _colour(diagnosis: Diagnosis) -> Colour:
    if diagnosis.finding.state == State.YES:
        return Colour.GREEN
    return Colour.RED if diagnosis.needed and diagnosis.finding.state == State.NO else Colour.YELLOW


def _fix(finding: Finding) -> str:
    if finding.fix.startswith("no fix"):
        return finding.fix
    # A row that only root can prove may be there already.
    proves = finding.state == State.NOT_PROVEN and finding.fix.endswith("doctor")
    return f"to {'prove' if proves else 'add'} it: {finding.fix}"
