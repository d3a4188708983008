# SPDX-License-Identifier: GPL-2.0-or-later
"""The options that waive violations, the same for `run`, `report` and `compare`."""

from contracts.run_option import RUN, RunOption, absolute

WAIVER_OPTIONS = (
    RunOption(
        "waive",
        "a violation of this claim is waived: shown as such, and no failure; --until and --why "
        "follow; repeatable",
        metavar="ID",
        action="append",
        default=(),
        subcommands=(RUN,),
    ),
    RunOption(
        "until",
        "the last day of the waiver (UTC), as in 2026-12-31: after it the violation counts again",
        metavar="DATE",
        action="append",
        default=(),
        subcommands=(RUN,),
    ),
    RunOption(
        "why",
        "the reason of the waiver, which every report shows",
        metavar="TEXT",
        action="append",
        default=(),
        subcommands=(RUN,),
    ),
    RunOption(
        "waivers",
        "a YAML file of waivers: id, topology, until and why of each (docs/waivers.md)",
        metavar="FILE",
        type=absolute,
        subcommands=(RUN,),
    ),
)
