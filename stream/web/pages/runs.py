"""Runs: what is under way, what was, and six figures over time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from fastapi import APIRouter, Request
from starlette.responses import Response

from stream.contracts.access import Role
from stream.sinks.views import shown_pages
from stream.sinks.views.happenings import asked_at
from stream.sinks.views.shown import Run
from stream.web.events import Event, whenever_changed
from stream.web.pages.figures import drawn_figures
from stream.web.pages.live import Fragment, current
from stream.web.pages.moments import DAY_MS
from stream.web.pages.page import Page, page_of, rendered, time_of
from stream.web.pages.rendering import document
from stream.web.pages.routes import PageRoute, see
from stream.web.pages.runs_shown import RunSummary, runs_under_way, shown, summary
from stream.web.problems import not_found
from stream.web.requests import streamed

AT_ONCE = 30
FIGURES_DAYS = 30

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/runs")
def runs(request: Request) -> Response:
    """History, live progress, figures."""
    page = page_of(request)
    rows = page.views.runs_asked(page.org, after=_after(page.query.get("after")), limit=AT_ONCE + 1)
    more = None
    if len(rows) > AT_ONCE:
        rows = rows[:AT_ONCE]
        more = page.here(after=f"{asked_at(rows[-1])}:{rows[-1].run}", done=None)
    points = shown_pages.run_points(page.views, page.org, since=page.now - FIGURES_DAYS * DAY_MS)
    done = [summary(page, run) for run in rows if run.outcome is not None]
    return rendered(
        page,
        "runs.html",
        under_way=runs_under_way(page),
        ended=None,
        last=_last(page),
        rows=done,
        more=more,
        figures=drawn_figures(page, points),
    )


@router.get("/runs/{run_id}")
def run(request: Request, run_id: str) -> Response:
    """One run."""
    page = page_of(request)
    return rendered(page, "run.html", r=shown(page, _run(page, run_id)))


@router.post("/runs")
async def start(request: Request) -> Response:
    """Reconcile everybody now."""
    page = await asyncio.to_thread(page_of, request, Role.MANAGER)
    answer = await page.site.service.sync_all_customers(page.org, by=page.caller.id, wait_seconds=1.0)
    known = await asyncio.to_thread(page.views.run, answer["runId"])
    return see(page.link(f"/runs/{answer['runId']}") if known is not None else page.link("/runs", done="sync"))


@router.get("/live/runs")
async def live_runs(request: Request) -> Response:
    """The runs under way, whenever something about them changes, and the one that has ended since the page was made."""
    page = page_of(request)
    since = time_of(page.query.get("since"), page.now)
    said: list[str] = []

    def look() -> Iterator[Event]:
        now = current(page)
        last = _last(now)
        ended = last if last and (last.run.ended_at or 0) > since else None
        text = document("runs_under_way.html", page=now, under_way=runs_under_way(now), last=last, ended=ended)
        if said[-1:] != [text]:
            said[:] = [text]
            yield Fragment("runs", text)

    return streamed(request, page.org, whenever_changed(page.views, look))


@router.get("/live/runs/{run_id}")
async def live_run(request: Request, run_id: str) -> Response:
    """One run, whenever something about it changes, until it has ended."""
    page = page_of(request)
    last = _run(page, run_id)

    def look() -> Iterator[Event]:
        nonlocal last
        last, now = _run(page, run_id), current(page)
        yield Fragment("run", document("run_body.html", page=now, r=shown(now, last)))
        yield Fragment("sync", document("sync_state.html", page=now, run=last))
        if last.outcome is not None:
            yield Fragment("ended", last.outcome)  # so that the browser does not ask again

    events = whenever_changed(page.views, look, over=lambda: last.outcome is not None)
    return streamed(request, page.org, events)


def _last(page: Page) -> RunSummary | None:
    """The run over all customers that ended last."""
    points = shown_pages.run_points(page.views, page.org, since=page.now - FIGURES_DAYS * DAY_MS, limit=1)
    found = page.views.run(points[0].run) if points else None
    return summary(page, found) if found is not None else None


def _run(page: Page, run_id: str) -> Run:
    found = page.views.run(run_id)
    if found is None or found.org != page.org:
        raise not_found(f"run {run_id[:200]!r}")
    return found


def _after(place: str | None) -> tuple[int, str] | None:
    at, _, run = (place or "").partition(":")
    return (int(at), run[:300]) if at.isascii() and at.isdigit() and len(at) < 16 else None
