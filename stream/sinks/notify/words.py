"""A message in words: its title, and the lines that every channel shows in its own form. Pure."""

from __future__ import annotations

from stream.contracts.alerts import AlertKind
from stream.contracts.deliveries import Content, Notice, Row, RunFigures

_COUNTED = {
    AlertKind.PARTITION_STOPPED: ("partition stopped", "partitions stopped"),
    AlertKind.RUN_FAILED: ("run failed", "runs failed"),
    AlertKind.PROVIDER_UNAVAILABLE: ("provider unavailable", "provider outages"),
    AlertKind.PROVIDER_RECOVERED: ("provider recovered", "provider recoveries"),
    AlertKind.REMOVAL_WITHHELD: ("removal withheld", "removals withheld"),
    AlertKind.ORDER_STATUS_UNKNOWN: ("unknown order status", "unknown order statuses"),
    AlertKind.DISCREPANCY_OPENED: ("new discrepancy", "new discrepancies"),
    AlertKind.DISCREPANCY_WORSENED: ("discrepancy worsened", "discrepancies worsened"),
    AlertKind.DISCREPANCY_STANDING: ("discrepancy still standing", "discrepancies still standing"),
    AlertKind.DISCREPANCY_RESOLVED: ("discrepancy resolved", "discrepancies resolved"),
}
"""By urgency: a title names the first ones first. Singular (without a number, where it is a fact), plural."""
_FACTS = frozenset({AlertKind.PROVIDER_UNAVAILABLE, AlertKind.PROVIDER_RECOVERED})


def title_of(content: Content) -> str:
    """One line: whose, and what."""
    counted = [_count(kind, content.counts[kind]) for kind in _COUNTED if kind in content.counts]
    counted += [f"{count:,} × {kind}" for kind, count in content.counts.items() if kind not in _COUNTED]
    if not counted:
        counted = [summary_of(run) for run in content.runs[-1:]] or [content.note or "message"]
    return f"{content.name}: {', '.join(counted)}"


def summary_of(run: RunFigures) -> str:
    """A run that has nothing new to tell, in one line."""
    standing = (
        f"{_number(run.review, 'discrepancy', 'discrepancies')} known, nothing new" if run.review else "all is well"
    )
    return f"{standing} ({run.agree:,} of {run.with_provider:,} balances agree, {run.customers:,} customers)"


def line_of_run(run: RunFigures) -> str:
    """What a run counted."""
    return (
        f"{run.run}: {run.customers:,} customers, {run.with_provider:,} with a balance, {run.agree:,} agree, "
        f"{run.review:,} to review, {run.milliseconds / 1000:,.1f} s"
    )


def line_of_row(row: Row) -> str:
    """A customer's points: `3528: −120 points (ours 600, provider 480), likely provider lag`."""
    apart = "difference unknown" if row.difference is None else f"{_signed(row.difference)} points"
    sides = f"ours {_known(row.ours)}, provider {_known(row.provider)}"
    cause = f", likely {plain(row.cause)}" if row.cause else ""
    return f"{row.customer}: {apart} ({sides}){cause}"


def line_of_notice(notice: Notice) -> str:
    """An alert about the org, with its reason."""
    words = _COUNTED[AlertKind(notice.kind)][0] if notice.kind in _COUNTED else plain(notice.kind)
    return f"{words[:1].upper()}{words[1:]}{f': {notice.reason}' if notice.reason else ''}"


def line_of_cause(content: Content) -> str | None:
    """The likely common cause; None where none is known."""
    if content.cause is None:
        return None
    return f"Likely common cause: {plain(content.cause)} ({_number(content.cause_count, 'customer', 'customers')})"


def more_of(content: Content) -> int:
    """How many customers there are besides the worst ones."""
    return content.apart - len(content.worst)


def plain(word: str) -> str:
    """`provider_lag` as people write it."""
    return word.replace("_", " ").replace(".", " ")


def _count(kind: AlertKind, count: int) -> str:
    singular, plural = _COUNTED[kind]
    return singular if count == 1 and kind in _FACTS else _number(count, singular, plural)


def _number(count: int, singular: str, plural: str) -> str:
    return f"{count:,} {singular if count == 1 else plural}"


def _known(points: int | None) -> str:
    return "unknown" if points is None else f"{points:,}"


def _signed(points: int) -> str:
    return f"{points:+,}".replace("-", "−")
