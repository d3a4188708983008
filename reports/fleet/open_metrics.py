# SPDX-License-Identifier: GPL-2.0-or-later
"""A fleet as OpenMetrics text, for the textfile collector of node_exporter.

That collector reads the older Prometheus text: so there are only gauges, no time stamps and no
units, which both formats take. `# EOF` is a comment in the older one.
"""

from collections.abc import Iterator, Mapping

from contracts.verdicts import REPORTED_ORDER
from reports.fleet.fleet import Fleet
from reports.fleet.fleet_wording import VERSION_TITLES
from reports.fleet.host_facts import shown_version
from reports.fleet.host_status import HostState

PREFIX = "plumbline_fleet"
Sample = tuple[Mapping[str, str], float]


def metrics_text(fleet: Fleet) -> str:
    """Return all metrics of a fleet."""
    return "\n".join([*_lines(fleet), "# EOF"]) + "\n"


def _lines(fleet: Fleet) -> Iterator[str]:
    yield from _family(
        "made_timestamp_seconds",
        "When these metrics were made.",
        [({}, fleet.made.timestamp())],
    )
    yield from _family(
        "hosts",
        "Number of hosts by what became of their run.",
        [({"state": state}, len(fleet.of(state))) for state in HostState],
    )
    yield from _family(
        "host_state",
        "1 for the state that a host is in.",
        [
            ({"host": host.name, "state": state}, host.state is state)
            for host in fleet.hosts
            for state in HostState
        ],
    )
    yield from _family(
        "host_claims",
        "Number of claims by their verdict on a host.",
        [
            ({"host": host.name, "verdict": verdict}, host.count(verdict))
            for host in fleet.hosts
            if host.claims
            for verdict in REPORTED_ORDER
        ],
    )
    yield from _family(
        "host_finished_timestamp_seconds",
        "When the run of a host came to its end.",
        [
            ({"host": host.name}, host.finished.timestamp())
            for host in fleet.hosts
            if host.finished is not None
        ],
    )
    yield from _family(
        "host_version_info",
        "The versions on a host; the value is always 1.",
        [
            (
                {"host": host.name}
                | {key: shown_version(key, host.versions.get(key, "")) for key in VERSION_TITLES},
                1,
            )
            for host in fleet.hosts
            if host.versions
        ],
    )
    yield from _family(
        "claim_hosts",
        "Number of hosts by the verdict that a claim has on them.",
        [
            ({"claim": claim.id, "verdict": verdict}, claim.counts.get(verdict, 0))
            for claim in fleet.claims
            for verdict in REPORTED_ORDER
        ],
    )


def _family(name: str, text: str, samples: list[Sample]) -> Iterator[str]:
    if not samples:
        return
    yield f"# TYPE {PREFIX}_{name} gauge"
    yield f"# HELP {PREFIX}_{name} {text}"
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(each)}"' for key, each in labels.items())
        yield f"{PREFIX}_{name}{f'{{{inside}}}' if inside else ''} {_number(value)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
