"""What the product takes the vendors to do, and whether that was seen to hold or to fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stream.contracts.runs import ALLEAVES, ALPINE_IQ
from stream.sinks.views import shown_pages
from stream.sinks.views.shown import LetterReason
from stream.sinks.views.shown_pages import PastAlert, RunPoint
from stream.web.pages import words
from stream.web.pages.moments import DAY_MS
from stream.web.pages.page import Page

DAYS = 30
"""Over which runs are looked at."""
THROTTLED = "throttled"
CODE = "code"
_NAMES = {ALLEAVES: "Alleaves", ALPINE_IQ: words.PROVIDER}


@dataclass(frozen=True)
class Assumption:
    """What the product takes a vendor to do, and whether it held lately. `held` None: nothing was observed."""

    vendor: str
    text: str
    held: bool | None
    evidence: str


def assumptions(
    page: Page, reasons: Sequence[LetterReason], statuses: Sequence[PastAlert], withheld: Sequence[PastAlert]
) -> list[Assumption]:
    """Each vendor's habits that points rest on, judged by what was seen. `reasons`: of undecided dead letters."""
    orders, balances = page.freshness.orders is not None, page.freshness.balances is not None
    runs = shown_pages.run_points(page.views, page.org, since=page.now - DAYS * DAY_MS)
    alleaves, alpine_iq = (
        sum(each.count for each in reasons if each.stage.startswith(vendor)) for vendor in (ALLEAVES, ALPINE_IQ)
    )
    return [
        _judged(ALLEAVES, "Every order has an id, a customer and a total.", orders, alleaves, "record"),
        _judged(
            ALLEAVES,
            "Order statuses are among those that the settings name.",
            orders,
            len(statuses),
            "run with others",
            "runs with others",
        ),
        _judged(
            ALLEAVES,
            "Orders do not vanish in numbers from one day to the next.",
            orders,
            len(withheld),
            "removal withheld",
            "removals withheld",
        ),
        _rate(ALLEAVES, runs),
        _code(page),
        _judged(ALPINE_IQ, "Every member has an id and whole points.", balances, alpine_iq, "record"),
        _rate(ALPINE_IQ, runs),
        _answers(page, runs),
    ]


def _judged(vendor: str, text: str, seen: bool, failures: int, what: str, many: str | None = None) -> Assumption:
    if not seen:
        return Assumption(_NAMES[vendor], text, None, "nothing was read yet")
    evidence = words.counted(failures, what, many) if failures else "no exception seen"
    return Assumption(_NAMES[vendor], text, not failures, evidence)


def _rate(vendor: str, runs: Sequence[RunPoint]) -> Assumption:
    """Vendors say so themselves where they are asked too often."""
    used = [run.vendors[vendor] for run in runs if vendor in run.vendors]
    throttled = sum(each.errors.get(THROTTLED, 0) for each in used)
    calls = sum(each.calls for each in used)
    text = "It takes as many requests as it is sent."
    if not calls:
        return Assumption(_NAMES[vendor], text, None, "no run noted its calls yet")
    evidence = f"{throttled:,} of {calls:,} calls throttled, {DAYS} days"
    return Assumption(_NAMES[vendor], text, not throttled, evidence)


def _code(page: Page) -> Assumption:
    """Nobody found by it says nothing: perhaps no code is kept."""
    found = shown_pages.matched_by(page.views, page.org).get(CODE, 0)
    evidence = f"{words.counted(found, 'member')} found by it" if found else "no member was found by it yet"
    return Assumption(
        _NAMES[ALLEAVES],
        f"The code that it keeps of a customer is {words.PROVIDER}'s id.",
        True if found else None,
        evidence,
    )


def _answers(page: Page, runs: Sequence[RunPoint]) -> Assumption:
    text = "It answers."
    if page.outage:
        why = (page.provider.reason if page.provider else None) or "it does not"
        return Assumption(words.PROVIDER, text, False, why)
    if page.freshness.balances is None:
        return Assumption(words.PROVIDER, text, None, "it was not asked yet")
    used = [run.vendors[ALPINE_IQ] for run in runs if ALPINE_IQ in run.vendors]
    calls, answered = sum(each.calls for each in used), sum(each.answered for each in used)
    return Assumption(words.PROVIDER, text, True, f"{answered:,} of {calls:,} calls, {DAYS} days" if calls else "yes")
