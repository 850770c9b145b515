"""Today: who needs somebody, in a sentence first."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from stream.contracts.profiles import Verdict
from stream.contracts.runs import Tally
from stream.sinks.views import shown_pages
from stream.sinks.views.shown_pages import CaseRow, RunPoint
from stream.web.pages import moments, words
from stream.web.pages.charts import Chart, Line, Number, over_time
from stream.web.pages.moments import DAY_MS
from stream.web.pages.page import Page, page_of, rendered
from stream.web.pages.routes import PageRoute

WORST = 10
TREND_DAYS = 30
TABLE_ROWS = 15

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class Today:
    """What the page shows; texts are ready to be read."""

    needs: str
    agrees: str
    currency: str
    review: int
    customers: int
    with_balance: int
    coverage: str
    outstanding: int
    unexplained: int
    cases: int
    by_run: str
    last: RunPoint | None
    took: str
    failed: str | None
    letters: int
    worst: list[CaseRow]
    trend: Chart
    trend_rows: list[tuple[str, str, str]]


@router.get("/")
def today(request: Request) -> Response:
    """The morning's look."""
    page = page_of(request)
    return rendered(page, "today.html", today=_today(page) if page.org else None)


def _today(page: Page) -> Today:
    views, org, shop = page.views, page.org, page.shop
    counts = shown_pages.verdict_counts(views, org, shop)
    with_balance, outstanding = shown_pages.balances_known(views, org, shop)
    points = shown_pages.run_points(views, org, since=page.now - TREND_DAYS * DAY_MS)
    taken = [(point.ended_at, point.tally) for point in points if point.tally and point.outcome == "completed"]
    worst = shown_pages.inbox(views, org, shop=shop, limit=WORST)
    customers, review = sum(counts.values()), counts.get(Verdict.DISCREPANCY, 0)
    last = points[-1] if points else None
    return Today(
        needs=_needs(review),
        agrees=_agrees(counts.get(Verdict.MATCHED, 0)),
        currency=provider_said(page),
        review=review,
        customers=customers,
        with_balance=with_balance,
        coverage=f"{100 * with_balance / customers:.0f} %" if customers else "unknown",
        outstanding=outstanding,
        unexplained=shown_pages.unexplained_points(views, org, shop),
        cases=len(worst) if len(worst) < WORST else max(page.live_cases, WORST),
        by_run="the last comparison",
        last=last,
        took=_took(last),
        failed=_why_failed(page, last),
        letters=sum(reason.count for reason in views.letter_reasons(org)),
        worst=worst,
        trend=_trend(page, taken),
        trend_rows=_trend_rows(page, taken),
    )


def provider_said(page: Page) -> str:
    """Whether the provider answers and how current its balances are, in a sentence."""
    balances = page.freshness.balances
    if page.outage:
        return f"{words.PROVIDER} does not answer."
    if balances is None:
        return f"{words.PROVIDER} was not read yet."
    said = moments.relative(balances, page.now, page.zone)
    return f"{words.PROVIDER} is {'late' if page.freshness.balances_stale else 'current'} ({said})."


def _needs(review: int) -> str:
    if not review:
        return "Nobody needs you."
    return f"{words.counted(review, 'customer')} {'needs' if review == 1 else 'need'} you."


def _agrees(matched: int) -> str:
    return f"{matched:,} {'agrees' if matched == 1 else 'agree'}."


def _took(run: RunPoint | None) -> str:
    if run is None or run.started_at is None:
        return "an unknown time"
    return moments.length(run.ended_at - run.started_at)


def _why_failed(page: Page, last: RunPoint | None) -> str | None:
    if last is None or last.outcome != "failed":
        return None
    run = page.views.run(last.run)
    return (run.reason if run else None) or "No reason was given."


def _trend(page: Page, taken: list[tuple[int, Tally]]) -> Chart:
    line: list[Number] = [tally.discrepancy for _, tally in taken]
    lines: list[Line] = [{"name": "need review", "y": line, "colour": "--review"}]
    return over_time([at for at, _ in taken], lines, now=page.now, kind="step")


def _trend_rows(page: Page, taken: list[tuple[int, Tally]]) -> list[tuple[str, str, str]]:
    return [
        (moments.exact(at, page.zone), words.number(tally.discrepancy), words.number(tally.matched))
        for at, tally in reversed(taken[-TABLE_ROWS:])
    ]
