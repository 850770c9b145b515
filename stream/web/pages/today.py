"""Today: who needs somebody, in a sentence first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request
from markupsafe import Markup
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
from stream.web.pages.runs_shown import runs_under_way

WORST = 10
TREND_DAYS = 30
TABLE_ROWS = 15

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class Figures:
    """The sentence and the tiles; texts are ready to be read. `compared`: some run has ended, so there are verdicts."""

    compared: bool
    needs: str
    agrees: str
    currency: Markup
    review: int
    customers: int
    with_balance: int
    coverage: str
    outstanding: int
    unexplained: int
    cases: int
    last: RunPoint | None
    took: str


@dataclass(frozen=True)
class Today:
    """What the page shows below them."""

    failed: str | None
    letters: int
    worst: list[CaseRow]
    trend: Chart
    trend_rows: list[tuple[str, str, str]]


@router.get("/")
def today(request: Request) -> Response:
    """The morning's look."""
    page = page_of(request)
    figures = figures_of(page) if page.org else None
    if figures is None or figures.compared:
        return rendered(page, "today.html", figures=figures, today=_today(page, figures.last) if figures else None)
    failed = _why_failed(page, figures.last)
    under_way = runs_under_way(page)
    return rendered(page, "today_first.html", failed=failed, under_way=under_way, last=None, ended=None)


def figures_of(page: Page) -> Figures:
    """The sentence and the tiles, as they are now."""
    views, org, shop = page.views, page.org, page.shop
    counts = shown_pages.verdict_counts(views, org, shop)
    with_balance, outstanding = shown_pages.balances_known(views, org, shop)
    runs = shown_pages.run_points(views, org, since=page.now - TREND_DAYS * DAY_MS, limit=1)
    customers, review = sum(counts.values()), counts.get(Verdict.DISCREPANCY, 0)
    last = runs[-1] if runs else None
    return Figures(
        compared=shown_pages.ever_compared(views, org) and _there(counts, last),
        needs=_needs(review),
        agrees=_agrees(counts.get(Verdict.MATCHED, 0)),
        currency=provider_said(page),
        review=review,
        customers=customers,
        with_balance=with_balance,
        coverage=words.share(with_balance, customers),
        outstanding=outstanding,
        unexplained=shown_pages.unexplained_points(views, org, shop),
        cases=page.live_cases,
        last=last,
        took=_took(last),
    )


def _today(page: Page, last: RunPoint | None) -> Today:
    views, org = page.views, page.org
    points = shown_pages.run_points(views, org, since=page.now - TREND_DAYS * DAY_MS)
    taken = [(point.ended_at, point.tally) for point in points if point.tally and point.outcome == "completed"]
    return Today(
        failed=_why_failed(page, last),
        letters=sum(reason.count for reason in views.letter_reasons(org)),
        worst=shown_pages.inbox(views, org, shop=page.shop, limit=WORST),
        trend=_trend(page, taken),
        trend_rows=_trend_rows(page, taken),
    )


def _there(counts: Mapping[str, int], last: RunPoint | None) -> bool:
    """Whether the verdicts are here: a run's end may be read a moment before the profiles that it is about."""
    if last is None or last.tally is None or not last.tally.compared:
        return bool(counts)
    return any(verdict != Verdict.UNKNOWN for verdict in counts)


def provider_said(page: Page) -> Markup:
    """Whether the provider answers and how current its balances are, in a sentence."""
    balances = page.freshness.balances
    if page.outage:
        return Markup("{} does not answer.").format(words.PROVIDER)
    if balances is None:
        return Markup("{} was not read yet.").format(words.PROVIDER)
    how = "late" if page.freshness.balances_stale else "current"
    return Markup("{} is {} {}.").format(words.PROVIDER, how, page.bracketed(balances))


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
    """After each run, and still so now."""
    line: list[Number] = [tally.discrepancy for _, tally in [*taken, *taken[-1:]]]
    lines: list[Line] = [{"name": "need review", "y": line, "colour": "--review"}]
    times = [at for at, _ in taken]
    return over_time([*times, page.now] if times else [], lines, now=page.now, kind="step")


def _trend_rows(page: Page, taken: list[tuple[int, Tally]]) -> list[tuple[str, str, str]]:
    return [
        (moments.exact(at, page.zone), words.number(tally.discrepancy), words.number(tally.matched))
        for at, tally in reversed(taken[-TABLE_ROWS:])
    ]
