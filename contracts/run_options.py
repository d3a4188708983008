# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of a run, declared once: the launcher's subcommands and pytest take the same ones."""

from collections.abc import Iterator
from pathlib import Path

from contracts.exit_codes import EXIT_MISSING_CAPABILITY
from contracts.host_kinds import HOST_KINDS, HOST_WORDS
from contracts.language import LANGUAGE_HELP, LANGUAGES
from contracts.run_files import LATEST_RUN, RUNS
from contracts.run_option import PROVE, RUN, RunOption, absolute, comma_separated
from contracts.waiver_options import WAIVER_OPTIONS

RUN_OPTIONS = (
    # Only pytest's: for the launcher it is a subcommand.
    RunOption(
        "prove",
        "break each topology on purpose",
        action="store_true",
        default=False,
        subcommands=(),
    ),
    RunOption(
        "fault",
        "a shipped fault, or a YAML file of faults; repeatable; default: all shipped faults",
        metavar="ID|FILE",
        action="append",
        default=(),
        subcommands=(PROVE,),
        selects=True,
    ),
    RunOption(
        "part",
        "every N-th of these faults, from the I-th on",
        metavar="I/N",
        default="1/1",
        subcommands=(PROVE,),
        selects=True,
    ),
    RunOption(
        "others",
        "of the checks that need not notice a fault, those made beside it to see what else turns "
        "red: all (default), none, or every N-th from the I-th on, which are others beside each "
        "fault; beside a harmless change every check is made",
        metavar="all|none|I/N",
        default="all",
        subcommands=(PROVE,),
        selects=True,
    ),
    RunOption(
        "topology",
        "a shipped topology, a YAML file, libvirt's XML of a network, a bridge host's file "
        "(/etc/network/interfaces, netplan's), a folder of such files, or - for one of these "
        "two on standard input; repeatable; default: all shipped topologies",
        metavar="NAME|FILE",
        action="append",
        default=(),
        selects=True,
    ),
    RunOption(
        "network",
        "an active libvirt network of the host, as it is: guests are attached to it, and nothing "
        "of it is changed; repeatable",
        metavar="NAME",
        action="append",
        default=(),
        subcommands=(RUN,),
        selects=True,
    ),
    RunOption(
        "bridge",
        "a bridge of the host (Linux or Open vSwitch), in the same way; repeatable",
        metavar="NAME",
        action="append",
        default=(),
        subcommands=(RUN,),
        selects=True,
    ),
    RunOption(
        "existing",
        "every network and bridge that the host has, in the same way",
        action="store_true",
        default=False,
        subcommands=(RUN,),
        selects=True,
    ),
    RunOption(
        "addresses",
        "addresses set aside for guests on existing networks, and on the wire of --outside, as in "
        "192.168.1.200-192.168.1.210; repeatable; default: the network's own DHCP",
        metavar="FIRST-LAST[/PREFIX]",
        action="append",
        default=(),
        subcommands=(RUN,),
        rerun=True,
    ),
    RunOption(
        "host",
        f"the host under test: {', or '.join(kind.meaning for kind in HOST_KINDS)}",
        metavar="|".join(HOST_WORDS),
        choices=HOST_WORDS,
        default=HOST_WORDS[0],
        rerun=True,
    ),
    RunOption(
        "profile",
        "the profile of a staged host or a lab: a shipped one, or a TOML file; default: plain, in "
        "a lab none",
        metavar="NAME|FILE",
        rerun=True,
    ),
    RunOption(
        "state",
        "a folder that keeps a staged host's changes: with it the next one is a restart of this",
        metavar="DIR",
        type=absolute,
        rerun=True,
    ),
    RunOption(
        "pf",
        "passthrough: the SR-IOV NIC whose virtual functions the guests get",
        metavar="NIC",
        rerun=True,
        names_a_nic=True,
    ),
    RunOption(
        "uplink",
        "on a shared host: a NIC that is the uplink of topologies, on one wire with --peer-nic or "
        "with --outside; default: a cable to a network namespace",
        metavar="NIC",
        subcommands=(RUN,),
        rerun=True,
        names_a_nic=True,
    ),
    RunOption(
        "allow_management_uplink",
        "the uplink may carry your own connection: a watchdog undoes all unless the path answers",
        action="store_true",
        default=False,
        subcommands=(RUN,),
        rerun=True,
    ),
    RunOption(
        "management_path",
        "the far end of that connection; default: the SSH client, else the default route's router",
        metavar="ADDRESS[:PORT]",
        subcommands=(RUN,),
        rerun=True,
    ),
    RunOption(
        "peer_nic",
        "a NIC on the wire of --pf or --uplink, or of existing networks, for the outside machine",
        metavar="NIC",
        rerun=True,
        names_a_nic=True,
    ),
    RunOption(
        "outside",
        "a machine of the site's on the wire of --uplink, or beyond existing networks, as the "
        "outside: a program is copied there by SSH, used and removed; nothing is configured there",
        metavar="ssh:USER@HOST[:PORT]",
        subcommands=(RUN,),
        rerun=True,
    ),
    RunOption(
        "spare_nic",
        "passthrough: a NIC on that wire that a guest may get whole",
        metavar="NIC",
        rerun=True,
        names_a_nic=True,
    ),
    RunOption(
        "subnets",
        "on a shared host: the network that the subnets of topologies are taken from; default: a "
        "private network that no route, address or network of libvirt's on the host overlaps",
        metavar="NETWORK",
        subcommands=(RUN,),
        rerun=True,
    ),
    RunOption(
        "disruptive",
        "on a shared host: make the checks that change something of the host's, too",
        action="store_true",
        default=False,
        subcommands=(RUN,),
        rerun=True,
    ),
    RunOption(
        "plan",
        "print what the run would make and change on the host, and which checks it would not make",
        action="store_true",
        default=False,
        subcommands=(RUN,),
    ),
    RunOption(
        "release",
        "the host's libvirt, QEMU, Open vSwitch and tools: a Debian release, or for a sandbox a "
        "root folder; default: this machine's own, in a lab trixie, staged bookworm",
        metavar="NAME|DIR",
        rerun=True,
    ),
    RunOption(
        "firewall_backend",
        "the backend of libvirt's rules (libvirt 10.4 or newer); default: libvirt's choice",
        metavar="iptables|nftables",
        choices=("iptables", "nftables"),
        rerun=True,
    ),
    RunOption(
        "accel",
        "the guests' accelerator; auto (default): kvm where a guest proves to boot under it",
        metavar="auto|kvm|tcg",
        choices=("auto", "kvm", "tcg"),
        default="auto",
        rerun=True,
    ),
    RunOption(
        "output",
        f"a new or empty folder for the record; default: {RUNS}/TIME, with the link {LATEST_RUN}",
        metavar="DIR",
        type=Path,
    ),
    RunOption(
        "claim",
        "only the checks of this claim; repeatable",
        metavar="ID",
        action="append",
        default=(),
        subcommands=(RUN,),
        selects=True,
    ),
    RunOption(
        "after_build",
        "run CMD with sh -c on the host once a topology is up, before its checks",
        metavar="CMD",
        subcommands=(RUN,),
        rerun=True,
    ),
    RunOption(
        "expect",
        f"capabilities whose absence fails the run (exit {EXIT_MISSING_CAPABILITY})",
        metavar="CAP,...",
        action="extend",
        type=comma_separated,
        default=(),
        subcommands=(RUN,),
    ),
    RunOption(
        "expect_verdicts",
        "compare the verdicts with those of a YAML file, or with `profile` those of the profile's "
        "file: the exit code is then that of the comparison",
        metavar="profile|FILE",
        subcommands=(RUN,),
    ),
    *WAIVER_OPTIONS,
    RunOption(
        "samples",
        "samples of each measured quantity, after one that may be cold; default: 1 to 3; compare "
        "needs about 7 of each",
        metavar="N",
        type=int,
        subcommands=(RUN,),
        rerun=True,
    ),
    RunOption(
        "interleave",
        "sample quantities by turns, not one after the other: drift then hits all of them",
        action="store_true",
        default=False,
        subcommands=(RUN,),
        rerun=True,
    ),
    RunOption("lang", LANGUAGE_HELP, metavar="|".join(LANGUAGES), choices=LANGUAGES),
)


def options_of(subcommand: str) -> Iterator[RunOption]:
    """Return the options of a subcommand of the launcher."""
    return (option for option in RUN_OPTIONS if subcommand in option.subcommands)


NIC_OPTIONS = tuple(option for option in RUN_OPTIONS if option.names_a_nic)
