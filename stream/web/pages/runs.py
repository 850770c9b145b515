"""Runs: what is under way, what was, and six figures over time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from stream.contracts.access import Role
from stream.contracts.runs import Phase, RunKind, Tally
from stream.sinks.views import shown_pages
from stream.sinks.views.happenings import asked_at
from stream.sinks.views.shown import Run
from stream.web.events import Event, whenever_changed
from stream.web.pages import moments, words
from stream.web.pages.charts import Drawn
from stream.web.pages.figures import drawn_figures
from stream.web.pages.live import Fragment, current
from stream.web.pages.moments import DAY_MS
from stream.web.pages.page import Page, page_of, rendered
from stream.web.pages.rendering import document
from stream.web.pages.routes import PageRoute, see
from stream.web.problems import not_found
from stream.web.requests import streamed

AT_ONCE = 30
FIGURES_DAYS = 30
_PHASES = (Phase.ORDERS, Phase.BALANCES, Phase.VERDICTS)

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class PhaseShown:
    """A part of a run. `state`: `done`, `now`, `failed` or `next`; `said`: what it did so far."""

    name: str
    state: str
    said: str
    took: str


@dataclass(frozen=True)
class RunSummary:
    """A run in a list."""

    run: Run
    name: str
    at: int
    took: str
    said: str


@dataclass(frozen=True)
class Difference:
    """A count of a run, and by how much it differs from the run before (None: there is none)."""

    label: str
    value: int
    before: int | None


@dataclass(frozen=True)
class RunShown:
    """One run. `phases`: None for a run of one customer."""

    run: Run
    summary: RunSummary
    phases: list[PhaseShown] | None
    differences: list[Difference]
    before: str | None


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
    figures: list[Drawn] = drawn_figures(page, points)
    under_way = [shown(page, run) for run in _under_way(page)]
    done = [summary(page, run) for run in rows if run.outcome is not None]
    return rendered(page, "runs.html", under_way=under_way, rows=done, more=more, figures=figures)


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
    """The runs under way, whenever something about them changes."""
    page = page_of(request)
    said: list[str] = []

    def look() -> Iterator[Event]:
        now = current(page)
        text = document("runs_under_way.html", page=now, under_way=[shown(now, run) for run in _under_way(now)])
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


def shown(page: Page, run: Run) -> RunShown:
    """The run with its phases and how it differs from the one before."""
    before = page.views.run(found) if (found := _before(page, run)) is not None else None
    return RunShown(
        run=run,
        summary=summary(page, run),
        phases=None if run.customer is not None else _phases(page, run),
        differences=_differences(run.tally, before.tally if before else None),
        before=before.run if before else None,
    )


def summary(page: Page, run: Run) -> RunSummary:
    """The run in a line."""
    began = run.started_at or asked_at(run)
    took = moments.length(max((run.ended_at or page.now) - began, 0))
    return RunSummary(run, words.run_name(run.run), asked_at(run), took, _said(run))


def _said(run: Run) -> str:
    if run.outcome == "failed":
        return run.reason or "No reason was given."
    if run.customer is not None:
        return words.VERDICTS.get(run.answer, run.answer or "") if run.answer else ""  # type: ignore[call-overload]
    if run.tally is not None:
        return f"{run.tally.matched:,} agree, {run.tally.discrepancy:,} need review"
    return words.PHASES.get(run.phase, run.phase)


def _phases(page: Page, run: Run) -> list[PhaseShown]:
    wanted = _PHASES if run.kind == RunKind.DAILY else _PHASES[1:]
    names = [phase.value for phase in wanted]
    at = names.index(run.phase) if run.phase in names else -1
    shown = []
    for position, name in enumerate(names):
        if run.outcome == "completed" or position < at:
            state = "done"
        elif position == at:
            state = "failed" if run.outcome == "failed" else "now"
        else:
            state = "next"
        took = moments.length(run.phases_ms[name]) if name in run.phases_ms else ""
        shown.append(PhaseShown(words.PHASES[name], state, _counted(run, name), took))
    return shown


def _counted(run: Run, phase: str) -> str:
    if phase == Phase.ORDERS and run.orders is not None:
        return f"{run.orders:,} orders of {run.order_customers or 0:,} customers"
    if phase == Phase.BALANCES and run.balances is not None:
        return words.counted(run.balances, "balance")
    if phase == Phase.VERDICTS and run.tally is not None:
        return words.counted(run.tally.customers, "customer")
    return ""


def _differences(tally: Tally | None, before: Tally | None) -> list[Difference]:
    if tally is None:
        return []
    labels = {
        "customers": "Customers",
        "with_provider": f"With a balance at {words.PROVIDER}",
        "matched": "Agree",
        "discrepancy": "Need review",
        "timing": "Timing",
        "not_enrolled": "Not enrolled",
        "ambiguous": "Ambiguous",
        "unknown": "Unknown",
        "missing_internal": "No orders here",
        "dead_letters": "Records that could not be read",
    }
    return [
        Difference(label, getattr(tally, name), getattr(before, name) if before else None)
        for name, label in labels.items()
    ]


def _before(page: Page, run: Run) -> str | None:
    if run.tally is None or run.ended_at is None or run.customer is not None:
        return None
    return shown_pages.run_before(page.views, page.org, run.ended_at)


def _under_way(page: Page) -> list[Run]:
    return [run for run in page.views.runs(page.org, limit=10) if run.outcome is None and run.customer is None][:3]


def _run(page: Page, run_id: str) -> Run:
    found = page.views.run(run_id)
    if found is None or found.org != page.org:
        raise not_found(f"run {run_id[:200]!r}")
    return found


def _after(place: str | None) -> tuple[int, str] | None:
    at, _, run = (place or "").partition(":")
    return (int(at), run[:300]) if at.isascii() and at.isdigit() and len(at) < 16 else None
