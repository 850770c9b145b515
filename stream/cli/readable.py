"""Answers for people: what `show` prints instead of JSON. Each takes what the command answers as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from stream.cli.output import plain

Fields = dict[str, object]


def of_status(answer: object) -> object:
    """Per org a block."""
    return {
        f"{org.get('org')} ({org.get('mode') or 'no settings yet'})": _standing(org) for org in _rows(answer)
    } or "no org yet"


def _standing(org: Fields) -> Fields:
    return {
        "customers": _count(org.get("totalCustomers")),
        "with a balance at Alpine IQ": _count(org.get("withAlpineSync")),
        "agree": _count(org.get("reconciled")),
        "need review": _count(org.get("needsReview")),
        "verdicts": _counts(_fields(org.get("verdicts"))),
        "last sync": org.get("lastSyncAt") or "none yet",
        "last run": _run(org.get("lastRun")),
        "Alpine IQ": org.get("provider"),
        "dead letters": _count(org.get("deadLetters")),
    }


def _run(run: object) -> str:
    if not isinstance(run, dict):
        return "none yet"
    if run.get("outcome") is None:
        return f"{run.get('id')} is under way ({run.get('phase')})"
    reason = f" in phase {run.get('phase')}: {run.get('reason')}" if run.get("outcome") == "failed" else ""
    return f"{run.get('id')} {run.get('outcome')} {run.get('endedAt')}{reason}"


def of_customer(answer: object) -> object:
    """The document, then how the points came about, then cases."""
    report = _fields(answer)
    document = _fields(report.get("customer"))
    currency = str(document.get("currency", ""))
    shown: Fields = {f"customer {document.pop('customerId', '')} of {document.pop('orgId', '')}": document}
    shown["how the points came about, newest first"] = [
        _entry(e, currency) for e in _rows(report.get("entries"))
    ] or "–"
    shown["cases"] = [_case(case) for case in _rows(report.get("cases"))] or "none"
    return shown


def _entry(entry: Fields, currency: str) -> Fields:
    return {
        "at": entry.get("at"),
        "what": str(entry.get("cause")).replace("_", " "),
        "order": entry.get("orderId"),
        f"amount {currency}": _money(entry.get("amountMinor")),
        "counts": "yes" if entry.get("whyNot") is None else f"no, {entry.get('whyNot')}",
        "points": _signed(entry.get("deltaPoints")),
        "after": entry.get("pointsAfter"),
        "tier": entry.get("tier"),
    }


def _case(case: Fields) -> Fields:
    return {
        "case": case.get("number"),
        "state": case.get("state"),
        "opened": case.get("openedAt"),
        "resolved": case.get("resolvedAt"),
        "orders give": case.get("points"),
        "Alpine IQ shows": case.get("pointsFromAlpine"),
        "difference": _signed(case.get("discrepancy")),
    }


def of_dead_letters(answer: object) -> object:
    """A row each."""
    shown = ("place", "at", "org", "stage", "reason")
    return [{name: letter.get(name) for name in shown} for letter in _rows(answer)] or "no dead letters"


def of_asked(answer: object) -> object:
    """The run, and how it ended."""
    asked = _fields(answer)
    shown: Fields = {name: asked.get(name) for name in ("run", "customer", "status") if asked.get(name) is not None}
    result = asked.get("result")
    return shown if not isinstance(result, dict) else shown | _result(result)


def _result(result: Fields) -> Fields:
    phases = {name: Decimal(str(ms)) / 1000 for name, ms in _fields(result.pop("phasesMs", {})).items()}
    took = ", ".join(f"{name} {seconds:.1f}" for name, seconds in phases.items())
    shown = {name.replace("_", " "): value for name, value in result.items() if value is not None}
    return {**shown, "seconds": took or "–"}


def _rows(value: object) -> list[Fields]:
    listed = plain(value)
    return [_fields(row) for row in listed] if isinstance(listed, list) else []


def _fields(value: object) -> Fields:
    fields = plain(value)
    return dict(fields) if isinstance(fields, Mapping) else {}


def _counts(counts: Fields) -> str:
    return (
        ", ".join(f"{_count(count)} {verdict.replace('_', ' ')}" for verdict, count in _largest(counts)) or "none yet"
    )


def _largest(counts: Fields) -> Iterable[tuple[str, object]]:
    return sorted(counts.items(), key=lambda item: -int(str(item[1])))


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _signed(value: object) -> str:
    return f"{value:+,}" if isinstance(value, int) else "–"


def _money(minor: object) -> str:
    """Minor units as the currency's major ones, two decimals."""
    return f"{Decimal(minor) / 100:,.2f}" if isinstance(minor, int) else "–"
