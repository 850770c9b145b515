"""A customer."""

from __future__ import annotations

from stream.cli.readable.cases import case_in_short
from stream.cli.readable.values import Fields, fields, money, rows, signed


def of_customer(answer: object) -> object:
    """The document, then how the points came about, then cases."""
    report = fields(answer)
    document = fields(report.get("customer"))
    currency = str(document.get("currency", ""))
    shown: Fields = {f"customer {document.pop('customerId', '')} of {document.pop('orgId', '')}": document}
    shown["how the points came about, newest first"] = [_entry(e, currency) for e in rows(report.get("entries"))] or "–"
    shown["cases"] = [case_in_short(case) for case in rows(report.get("cases"))] or "none"
    return shown


def of_erased(answer: object) -> object:
    """One sentence."""
    erased = fields(answer)
    who = f"customer {erased.get('customerId')} of {erased.get('orgId')}"
    return f"{who} is forgotten." if erased.get("inViews") else f"{who} will be forgotten: nobody has taken it up yet."


def _entry(entry: Fields, currency: str) -> Fields:
    return {
        "at": entry.get("at"),
        "what": str(entry.get("cause")).replace("_", " "),
        "order": entry.get("orderId"),
        f"amount {currency}": money(entry.get("amountMinor")),
        "counts": "yes" if entry.get("whyNot") is None else f"no, {entry.get('whyNot')}",
        "points": signed(entry.get("deltaPoints")),
        "after": entry.get("pointsAfter"),
        "tier": entry.get("tier"),
    }
