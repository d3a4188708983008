# SPDX-License-Identifier: GPL-2.0-or-later
"""What a fleet is in words, the same on the page and in Markdown."""

from collections import Counter
from collections.abc import Iterable, Iterator

from contracts.language import gettext, gettext_noop, word
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
_ENDS = {
    Verdict.CONFORMS: gettext_noop("green"),
    Verdict.WAIVED: gettext_noop("not red, and some violations are waived"),
}
_OPEN = gettext_noop("not red, and not all decided")


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
    red = sum(host.is_red for host in fleet.hosts)
    silent = sum(host.state is not HostState.RAN for host in fleet.hosts)
    hosts = counted(len(fleet.hosts), "host")
    if red and silent:
        said = gettext("{red} of {hosts} red, {silent} without a finished run")
    elif red:
        said = gettext("{red} of {hosts} red")
    elif silent:
        said = gettext("{silent} without a finished run of {hosts}, none red")
    else:
        said = gettext("{hosts}: {end}")
    end = gettext(_ENDS.get(verdict_of(fleet), _OPEN))
    return said.format(red=red, silent=silent, hosts=hosts, end=end)


def reasons(fleet: Fleet) -> Iterator[str]:
    """Yield the counts behind the headline."""
    verdicts = Counter(host.verdict for host in fleet.of(HostState.RAN) if host.verdict is not None)
    if verdicts:
        counts = (f"{word(each)} {verdicts[each]}" for each in Verdict if verdicts[each])
        said = gettext("Hosts that ran, by verdict: {counts}")
        yield said.format(counts=SEPARATOR.join(counts))
    for state in HostState:
        hosts = fleet.of(state)
        if hosts and state is not HostState.RAN:
            said = gettext("{state} {number}: {meaning}")
            meaning = gettext(STATE_MEANINGS[state])
            yield said.format(state=word(state), number=len(hosts), meaning=meaning)
    for key, title in VERSION_TITLES.items():
        texts = Counter(host.versions[key] for host in fleet.hosts if key in host.versions)
        if len(texts) > 1:
            names = _told_apart(key, texts)
            on = gettext("{version} on {number}")
            each = (
                on.format(version=names[text], number=number)
                for text, number in texts.most_common(5)
            )
            said = gettext("{title} differs: {versions}")
            yield said.format(title=title, versions=", ".join(each))


def method(fleet: Fleet) -> str:
    """Return how the shared values were judged, and how far the hosts suffice."""
    shared = fleet.shared
    if not shared.tests:
        return gettext(
            "No claim is violated on one host and conforms on another: nothing to compare."
        )
    said = gettext(
        "{pairs} of claim and value looked at by Fisher's exact test "
        "(one-sided), of which the hosts are enough for {testable}; these are corrected "
        "together by Holm's method to a level of {level}. A value that red hosts share "
        "is a place to look, and no proof of a cause."
    )
    pairs = counted(shared.tests, "pair")
    return said.format(pairs=pairs, testable=shared.testable, level=f"{shared.level:.0%}")


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
        said = gettext("shown: p {p}, corrected {corrected}")
        return said.format(p=p, corrected=_figure(each.adjusted_p))
    said = gettext("on every red host and no green one, but they are too few to show it: p {p}")
    return said.format(p=p)


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
    if not host.exit_code:
        return host.says
    return gettext("{seen} (exit code {code})").format(seen=host.says, code=host.exit_code)


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
    more = gettext("and {number} more").format(number=left)
    return [*lines[:most], more] if left > 0 else lines


def _figure(p: float) -> str:
    return f"{p:.1e}" if p < _SMALL else f"{p:.3f}"
