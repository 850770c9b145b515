"""`loyalty runs watch`: a run, followed in the views to its end."""

from __future__ import annotations

from collections.abc import AsyncIterator

from stream.bootstrap.browsing import views_at
from stream.errors import LoyaltyError
from stream.settings import Configuration
from stream.sinks.views.read import Views
from stream.sinks.views.shown import Run
from stream.web.shapes import Json, run_shown
from stream.web.shapes.status import stats_shown

APPEAR_SECONDS = 10.0
LOOKED_AT = 200
"""Runs of one customer are among them."""


async def watch_run(
    configuration: Configuration, *, org: str | None, run: str | None, upcoming: bool
) -> AsyncIterator[Json]:
    """The run whenever something of it has changed. See `stream.cli.desk.Desk.watch_run`."""
    with views_at(configuration) as views:
        changed = views.watch()
        watched = run if run is not None else await _chosen(views, org, upcoming)
        if run is not None:
            await _appeared(views, run)
        last: Run | None = None
        while last is None or last.outcome is None:
            found = views.run(watched)
            if found is not None and found != last:
                last = found
                yield _snapshot(views, found)
            else:
                await changed()


def _snapshot(views: Views, run: Run) -> Json:
    shown: Json = {**run_shown(run)}
    if run.outcome is not None and run.customer is None:
        shown["stats"] = stats_shown(views, run.org)
    return shown


async def _appeared(views: Views, run: str) -> None:
    try:
        await views.wait_for(lambda views: views.run(run) is not None, timeout=APPEAR_SECONDS)
    except TimeoutError:
        raise LoyaltyError(
            f"no run {run} is known. `loyalty runs list` shows those there are; new ones appear while `loyalty web` "
            "(or `loyalty up`) runs."
        ) from None


async def _chosen(views: Views, org: str | None, upcoming: bool) -> str:
    known = _of_all(views, org)
    if upcoming:
        return await _next(views, org, {run.run for run in known})
    under_way = [run for run in known if run.outcome is None]
    begun = [run for run in under_way if run.started_at is not None]
    found = next(iter([*begun, *under_way, *known]), None)
    if found is None:
        raise LoyaltyError(
            f"org {org} has had no run yet: `loyalty sync` starts one, `loyalty runs watch --next` waits for it."
        )
    return found.run


async def _next(views: Views, org: str | None, known: set[str]) -> str:
    changed = views.watch()
    while not (new := [run for run in _of_all(views, org) if run.run not in known]):
        await changed()
    return new[-1].run


def _of_all(views: Views, org: str | None) -> list[Run]:
    """Runs over all customers, newest first."""
    return [run for run in views.runs(org, limit=LOOKED_AT) if run.customer is None]
