"""A message in words: its title, and the lines that every channel shows in its own form. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from stream.contracts.alerts import AlertKind
from stream.contracts.cases import CauseKind
from stream.contracts.deliveries import Content, Notice, Row, RunFigures
from stream.contracts.runs import Phase, RunKind
from stream.loyalty.wording import CAUSES, PROVIDER

_COUNTED = {
    AlertKind.PARTITION_STOPPED: ("partition stopped", "partitions stopped"),
    AlertKind.PROVIDER_UNAVAILABLE: (f"{PROVIDER} is unavailable", f"outages of {PROVIDER}"),
    AlertKind.RUN_FAILED: ("run failed", "runs failed"),
    AlertKind.PROVIDER_RECOVERED: (f"{PROVIDER} answers again", f"ended outages of {PROVIDER}"),
    AlertKind.REMOVAL_WITHHELD: ("removal withheld", "removals withheld"),
    AlertKind.ORDER_STATUS_UNKNOWN: ("unknown order status", "unknown order statuses"),
    AlertKind.DISCREPANCY_OPENED: ("new discrepancy", "new discrepancies"),
    AlertKind.DISCREPANCY_WORSENED: ("discrepancy worsened", "discrepancies worsened"),
    AlertKind.DISCREPANCY_STANDING: ("discrepancy still standing", "discrepancies still standing"),
    AlertKind.DISCREPANCY_RESOLVED: ("discrepancy resolved", "discrepancies resolved"),
}
"""By urgency: a title names the first ones first. Singular (without a number, where it is a fact), plural."""
_SHORT = {
    AlertKind.DISCREPANCY_OPENED: "new",
    AlertKind.DISCREPANCY_WORSENED: "worsened",
    AlertKind.DISCREPANCY_STANDING: "still standing",
    AlertKind.DISCREPANCY_RESOLVED: "resolved",
}
_FACTS = (AlertKind.PROVIDER_UNAVAILABLE, AlertKind.PROVIDER_RECOVERED)
_MEANWHILE = "Points from orders stay current, balances as they were. Nothing is said of customers until it answers."
_STILL: dict[str, str] = {
    AlertKind.DISCREPANCY_WORSENED: "worse than before",
    AlertKind.DISCREPANCY_STANDING: "as before",
}
_RUNS = {RunKind.DAILY: "daily run", RunKind.BALANCES: "intraday run", RunKind.CUSTOMER: "one customer's run"}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_WHILE = {
    Phase.QUEUED: "while it waited",
    Phase.ORDERS: "while reading the orders",
    Phase.BALANCES: "while reading the balances",
    Phase.VERDICTS: "while comparing",
}


def title_of(content: Content) -> str:
    """One line: whose, and what."""
    counts = current_counts(content)
    counted = _counted(counts)
    counted += [f"{count:,} × {kind}" for kind, count in counts.items() if kind not in _COUNTED]
    if not counted:
        counted = [summary_of(run) for run in content.runs[-1:]] or [content.note or "message"]
    return f"{content.name}: {', '.join(counted)}"


def current_counts(content: Content) -> dict[str, int]:
    """The alerts by kind, without an outage that is over, or an end after which another one began."""
    last = next((notice.kind for notice in reversed(content.notices) if notice.kind in _FACTS), None)
    return {kind: count for kind, count in content.counts.items() if last is None or kind not in _FACTS or kind == last}


def summary_of(run: RunFigures) -> str:
    """A run that has nothing new to tell, in one line."""
    standing = (
        f"{_number(run.review, 'discrepancy', 'discrepancies')} known, nothing new" if run.review else "all is well"
    )
    balances = f"{run.agree:,} of {run.with_provider:,} balances agree" if run.with_provider else "no balances yet"
    return f"{standing} ({balances}, {_number(run.customers, 'customer', 'customers')}{_unreadable(run)})"


def lines_of_runs(content: Content) -> list[str]:
    """What the runs counted; nothing where the title says it."""
    if not content.counts and len(content.runs) == 1:
        return []
    return [line_of_run(run, content.time_zone) for run in content.runs]


def line_of_run(run: RunFigures, zone: str) -> str:
    """`Daily run 2026-01-30: of 245 balances 240 agree, 5 need review; 1,641 customers, 4.9 s.`"""
    name = run_name(run.run)
    return (
        f"{name[:1].upper()}{name[1:]}{f' ({moment(run.at, zone)})' if run.at else ''}: of {run.with_provider:,} "
        f"balances {run.agree:,} agree, {run.review:,} {'needs' if run.review == 1 else 'need'} review; "
        f"{_number(run.customers, 'customer', 'customers')}{_unreadable(run)}, {run.milliseconds / 1000:,.1f} s."
    )


def line_of_row(row: Row) -> str:
    """A customer: `3528: Alpine IQ shows 480, orders give 600: 120 too few. Likely: …`"""
    return f"{row.customer}: {sides_of(row)}"


def sides_of(row: Row) -> str:
    """Both sides, what is between them, and why, as far as it is known."""
    cause = f" Likely: {cause_in_words(row.cause)}." if row.cause else ""
    return f"{_sides(row)}{f', {again}' if (again := still(row)) else ''}.{cause}"


def still(row: Row) -> str:
    """How it is to what people were told before; empty for what is new."""
    return _STILL.get(row.kind, "")


def line_of_notice(notice: Notice, zone: str) -> str:
    """An alert about the org, with its time and its reason."""
    reason = notice.reason.rstrip(".")
    match notice.kind:
        case AlertKind.PROVIDER_UNAVAILABLE:
            said = f"{PROVIDER} is unavailable{f': {reason}' if reason else ''}. {_MEANWHILE}"
        case AlertKind.PROVIDER_RECOVERED:
            said = f"{reason or f'{PROVIDER} answers again'}."
        case AlertKind.RUN_FAILED if notice.run is not None:
            phase, colon, why = reason.partition(": ")
            during = f" {_WHILE[Phase(phase)]}: {why}" if colon and phase in _WHILE else f": {reason}"
            said = f"The {run_name(notice.run)} failed{during}. Verdicts stay as they were."
        case _:
            words = _COUNTED[AlertKind(notice.kind)][0] if notice.kind in _COUNTED else plain(notice.kind)
            said = f"{words[:1].upper()}{words[1:]}{f': {reason}' if reason else ''}."
    return f"{moment(notice.at, zone)}  {said}"


def blocks_of(content: Content) -> list[list[str]]:
    """What there is to say, block by block: the org's own, customers and why, what is over, the runs."""
    rows = [line_of_row(row) for row in content.worst]
    if more := more_of(content):
        rows.append(f"… and {more:,} more")
    notices = [line_of_notice(notice, content.time_zone) for notice in content.notices]
    after = [line for line in (line_of_cause(content), line_of_resolved(content)) if line]
    blocks = [[content.note] if content.note else [], notices, rows, after, lines_of_runs(content)]
    return [block for block in blocks if block]


def line_of_cause(content: Content) -> str | None:
    """The likely common cause; None where none is known, or it is one customer's alone."""
    if content.cause is None or content.cause_count < 2:
        return None
    whose = "all of them" if content.cause_count == content.apart else f"{content.cause_count:,} of {content.apart:,}"
    return f"The likely cause for {whose}: {cause_in_words(content.cause)}."


def line_of_resolved(content: Content) -> str | None:
    """Whose discrepancies are over."""
    if not content.resolved:
        return None
    more = content.counts.get(AlertKind.DISCREPANCY_RESOLVED, 0) - len(content.resolved)
    return f"Over: {', '.join(content.resolved)}{f' and {more:,} more' if more > 0 else ''}."


def more_of(content: Content) -> int:
    """How many customers there are besides the worst ones."""
    return content.apart - len(content.worst)


def cause_in_words(kind: str) -> str:
    """A cause in the middle of a sentence."""
    words = CAUSES[CauseKind(kind)] if kind in set(CauseKind) else plain(kind)
    return words if words.startswith(PROVIDER) else words[:1].lower() + words[1:]


def run_name(run: str) -> str:
    """A run without its org: `daily run 2026-01-30`; one that the clock did not begin is no daily run to people."""
    kind, _, slot = run.partition(":")[2].partition(":")
    if kind == RunKind.DAILY and not _DATE.fullmatch(slot):
        return "first run" if slot == "first" else f"run {slot}"
    return f"{_RUNS[RunKind(kind)]} {slot}" if kind in _RUNS and slot else f"run {run}"


def moment(at: int, zone: str) -> str:
    """A time by the org's clocks: `30 Jan 02:04`."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone)).strftime("%-d %b %H:%M")


def signed(points: int | None) -> str:
    """`+140`, `−27`; unknown is said to be unknown."""
    return "unknown" if points is None else f"{points:+,}".replace("-", "−")


def known(points: int | None) -> str:
    """Points, or that they are unknown."""
    return "unknown" if points is None else f"{points:,}".replace("-", "−")


def plain(word: str) -> str:
    """`provider_lag` as people write it."""
    return word.replace("_", " ").replace(".", " ")


def _sides(row: Row) -> str:
    if row.provider is None or row.ours is None or row.difference is None:
        return f"orders give {known(row.ours)}, {PROVIDER}'s balance is {known(row.provider)}"
    too = "many" if row.difference > 0 else "few"
    return f"{PROVIDER} shows {known(row.provider)}, orders give {known(row.ours)}: {abs(row.difference):,} too {too}"


def _unreadable(run: RunFigures) -> str:
    return f", {_number(run.dead_letters, 'record', 'records')} could not be read" if run.dead_letters else ""


def _counted(counts: dict[str, int]) -> list[str]:
    """`20 new discrepancies`, `3 worsened`: what they are is said once."""
    known = [kind for kind in _COUNTED if kind in counts]
    first = next((kind for kind in known if kind in _SHORT), None)
    return [_count(kind, counts[kind], again=kind in _SHORT and kind is not first) for kind in known]


def _count(kind: AlertKind, count: int, *, again: bool) -> str:
    singular, plural = _COUNTED[kind]
    if again:
        return f"{count:,} {_SHORT[kind]}"
    return singular if count == 1 and kind in _FACTS else _number(count, singular, plural)


def _number(count: int, singular: str, plural: str) -> str:
    return f"{count:,} {singular if count == 1 else plural}"
