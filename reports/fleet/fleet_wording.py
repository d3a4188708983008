# SPDX-License-Identifier: GPL-2.0-or-later
"""What a fleet is in words, the same on the page and in Markdown."""

from collections import Counter
from collections.abc import Iterable, Iterator

from contracts.verdicts import Verdict
from reports.fleet.fleet import FactValue, Fleet, FleetHost, SharedValue
from reports.fleet.host_facts import VERSIONS, shown_version
from reports.fleet.host_status import STATE_MEANINGS, HostState
from reports.wording import SEPARATOR, counted

VERSION_TITLES = {
    **dict(zip(VERSIONS, VERSIONS, strict=True)),
    "qemu": "QEMU",
    "openvswitch": "Open vSwitch",
    "plumbline": "Plumbline",
}
# In a cell of a table; the JSON has all.
VALUES_MAX = 6
CLAIMS_MAX = 8
PLACES_MAX = 25
_SMALL = 0.001
_ENDS = {Verdict.CONFORMS: "green", Verdict.WAIVED: "not red, and some violations are waived"}


def verdict_of(fleet: Fleet) -> Verdict:
    """Return the verdict of the whole: green only if every host ran to its end and is green."""
    if any(host.is_red for host in fleet.hosts):
        return Verdict.VIOLATES
    seen = {host.verdict if host.state is HostState.RAN else None for host in fleet.hosts}
    if seen <= {Verdict.CONFORMS, Verdict.NOT_TESTABLE}:
        return Verdict.CONFORMS
    decided = seen <= {Verdict.CONFORMS, Verdict.NOT_TESTABLE, Verdict.WAIVED}
    return Verdict.WAIVED if decided else Verdict.INCONCLUSIVE


def headline(fleet: Fleet) -> str:
    """Return the result in a sentence."""
    hosts = fleet.hosts
    red = sum(host.is_red for host in hosts)
    silent = sum(host.state is not HostState.RAN for host in hosts)
    parts = [f"{red} of {counted(len(hosts), 'host')} red"] if red else []
    if silent:
        parts.append(f"{silent} without a finished run")
    if not parts:
        end = _ENDS.get(verdict_of(fleet), "not red, and not all decided")
        return f"{counted(len(hosts), 'host')}: {end}"
    return ", ".join(parts) if red else f"{parts[0]} of {counted(len(hosts), 'host')}, none red"


def reasons(fleet: Fleet) -> Iterator[str]:
    """Yield the counts behind the headline."""
    verdicts = Counter(host.verdict for host in fleet.of(HostState.RAN) if host.verdict is not None)
    if verdicts:
        counts = (f"{verdict} {verdicts[verdict]}" for verdict in Verdict if verdicts[verdict])
        yield f"Hosts that ran, by verdict: {SEPARATOR.join(counts)}"
    for state in HostState:
        hosts = fleet.of(state)
        if hosts and state is not HostState.RAN:
            yield f"{state} {len(hosts)}: {STATE_MEANINGS[state]}"
    for key, title in VERSION_TITLES.items():
        texts = Counter(host.versions[key] for host in fleet.hosts if key in host.versions)
        if len(texts) > 1:
            names = _told_apart(key, texts)
            each = (f"{names[text]} on {number}" for text, number in texts.most_common(5))
            yield f"{title} differs: {', '.join(each)}"


def method(fleet: Fleet) -> str:
    """Return how the shared values were judged, and how far the hosts suffice."""
    shared = fleet.shared
    if not shared.tests:
        return "No claim is violated on one host and conforms on another: nothing to compare."
    return (
        f"{counted(shared.tests, 'pair')} of claim and value looked at by Fisher's exact test "
        f"(one-sided), of which the hosts are enough for {shared.testable}; these are corrected "
        f"together by Holm's method to a level of {shared.level:.0%}. A value that red hosts share "
        "is a place to look, and no proof of a cause."
    )


def places_to_look(fleet: Fleet) -> list[SharedValue]:
    """Return the findings for a reader: one for the same values, with all of its claims.

    Its numbers are those of the strongest.
    """
    found: dict[tuple[FactValue, ...], SharedValue] = {}
    for each in fleet.shared.found:
        key = tuple(each.values)
        if key not in found:
            found[key] = each
        elif found[key].shown == each.shown:
            claims = [*found[key].claims, *each.claims]
            found[key] = found[key].model_copy(update={"claims": claims})
    return list(found.values())[:PLACES_MAX]


def judged(each: SharedValue) -> str:
    """Return the outcome of a test."""
    p = _figure(each.p)
    if each.shown and each.adjusted_p is not None:
        return f"shown: p {p}, corrected {_figure(each.adjusted_p)}"
    return f"on every red host and no green one, but they are too few to show it: p {p}"


def values(each: SharedValue) -> list[str]:
    """Return the values of a test, the first few of them."""
    return _few([f"{value.fact} = {value.value}" for value in each.values], VALUES_MAX)


def claims(each: SharedValue) -> list[str]:
    """Return the claims of a test, the first few of them."""
    return _few(each.claims, CLAIMS_MAX)


def result(host: FleetHost) -> str:
    """Return the word of a host: its verdict, or its state where it did not run to its end."""
    if host.state is HostState.RAN and host.verdict is not None:
        return host.verdict
    return host.state


def ended(host: FleetHost) -> str:
    """Return what was seen on a host, with the run's exit code where that is not 0."""
    code = f" (exit code {host.exit_code})" if host.exit_code else ""
    return f"{host.says}{code}"


def look(host: FleetHost) -> Verdict:
    """Return the verdict that a host looks like."""
    if host.is_red:
        return Verdict.VIOLATES
    if host.state is HostState.RAN and host.verdict is not None:
        return host.verdict
    return Verdict.INCONCLUSIVE


def _told_apart(key: str, texts: Iterable[str]) -> dict[str, str]:
    """Return each version as it is shown; in full, where another one is shown the same."""
    shown = {text: shown_version(key, text) for text in texts}
    times = Counter(shown.values())
    return {text: short if times[short] == 1 else text for text, short in shown.items()}


def _few(lines: list[str], most: int) -> list[str]:
    left = len(lines) - most
    return [*lines[:most], f"and {left} more"] if left > 0 else lines


def _figure(p: float) -> str:
    return f"{p:.1e}" if p < _SMALL else f"{p:.3f}"
