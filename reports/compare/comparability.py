# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether two runs may be compared, and what the reader has to be warned of."""

from collections.abc import Iterator

from pydantic import JsonValue

from contracts.language import gettext
from contracts.plan import HOST
from reports.record import HostRecord, RunRecord
from reports.report_error import ReportError

# As a share of it.
SAME_MEMORY = 0.05


class NotComparable(ReportError):
    """Two records between which a comparison makes no sense."""


def require_comparable(before: RunRecord, after: RunRecord) -> None:
    """Refuse records whose comparison would have no meaning.

    Raises:
        NotComparable: one has faults, both are one run, or they have no topology in common.
    """
    for which, record in (("BEFORE", before), ("AFTER", after)):
        if record.faults:
            raise NotComparable(
                f"{which} is the record of `prove`: its topologies were broken on purpose",
                "expected that of `run`",
            )
        if not record.checks:
            raise NotComparable(
                f"{which} has no check: the run ended before it had planned any",
                "expected a run that looked at something",
            )
    if before.id == after.id:
        raise NotComparable(f"BEFORE and AFTER are one run, {before.id}", "expected two")
    names = [{each.name for each in record.topologies} - {HOST} for record in (before, after)]
    if not names[0] & names[1]:
        listed = [", ".join(sorted(each)) or "none" for each in names]
        raise NotComparable(
            f"the runs have no topology in common: {listed[0]} before, {listed[1]} after",
            "expected runs of the same networks",
        )


def warnings(before: RunRecord, after: RunRecord) -> Iterator[str]:
    """Yield the reasons why the comparison shows less than it seems to."""
    for which, record in ((gettext("before"), before), (gettext("after"), after)):
        if record.finished is None:
            said = gettext("the run {which} did not finish: its undecided checks are no change")
            yield said.format(which=which)
    if before.redacted != after.redacted:
        yield gettext(
            "the run {which} is redacted, the other is not: names and addresses differ that may "
            "be the same"
        ).format(which=gettext("before") if before.redacted else gettext("after"))
    if after.started < before.started:
        yield gettext("AFTER is the older run: entries called new are the earlier ones")
    yield from other_host(before.host, after.host)
    if (before.tool.commit, before.tool.version) != (after.tool.commit, after.tool.version):
        yield gettext(
            "two versions of Plumbline: {before} before, {after} after; a check may have changed, "
            "not the host"
        ).format(before=_tool(before), after=_tool(after))


def other_host(before: HostRecord, after: HostRecord) -> Iterator[str]:
    """Yield each sign that the runs are of two machines: none of it is changed by an upgrade.

    A run whose topologies were all refused did not get to know its host, which is no sign.
    """
    said = gettext("two different hosts: {what} {before} before, {after} after")
    for what, was, now in _machine(before, after):
        if was is not None and now is not None and was != now:
            yield said.format(what=what, before=was, after=now)


def why_speeds_differ(before: HostRecord, after: HostRecord) -> str | None:
    """Return why no quantity of one host may be held against the other's; None: they may."""
    different = [what for what, was, now in _machine(before, after) if was != now]
    if not different:
        return None
    said = gettext("measured with another {parts}")
    return said.format(parts=gettext(" and ").join(different))


def _machine(before: HostRecord, after: HostRecord) -> Iterator[tuple[str, JsonValue, JsonValue]]:
    """Yield what makes a machine, and what no upgrade of its software changes."""
    yield gettext("kind"), before.kind, after.kind
    yield (
        gettext("accelerator"),
        before.accel.name if before.accel else None,
        after.accel.name if after.accel else None,
    )
    yield "CPU", _cpu(before), _cpu(after)
    was, now = (host.facts.get("memory_mib") for host in (before, after))
    if isinstance(was, int) and isinstance(now, int):
        # Another kernel keeps a little more or less for itself.
        differs = abs(was - now) > SAME_MEMORY * max(was, now)
        yield gettext("memory"), f"{was} MiB", f"{now if differs else was} MiB"


def _cpu(host: HostRecord) -> JsonValue:
    known = host.facts.get("cpu")
    if not isinstance(known, dict):
        return None
    return f"{known.get('count')} × {known.get('model')}"


def _tool(record: RunRecord) -> str:
    commit = f" ({record.tool.commit[:10]})" if record.tool.commit else ""
    changed = gettext(", changed") if record.tool.dirty else ""
    return f"{record.tool.version}{commit}{changed}"
