"""Runs: history, one run, and one as it goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from stream.sinks.views.happenings import asked_at
from stream.sinks.views.shown import Run
from stream.web.etags import tag_of
from stream.web.events import Event, whenever_changed
from stream.web.listing import LIMIT, Cursor, Export, Limit, Listing, Page, etagged
from stream.web.problems import not_found
from stream.web.requests import ID_PATTERN, InOrg, Viewer, streamed
from stream.web.shapes.runs import RunShown, run_shown

router = APIRouter(prefix="/api/v1/orgs/{org}/runs", tags=["runs"])

Whole = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
RunId = Annotated[str, Path(max_length=300)]


@router.get("", response_model=Page[RunShown])
def runs(
    here: Viewer,
    customer: Annotated[
        str | None, Query(alias="customerId", pattern=ID_PATTERN, description="Only those of this customer.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = LIMIT,
    export: Export = None,
) -> Response:
    """Runs by when they were asked for, newest first."""
    listing: Listing[Run, RunShown] = Listing(
        f"runs-{here.org}",
        lambda after, limit: here.site.views.runs_asked(here.org, customer=customer, after=after, limit=limit),
        lambda run: (asked_at(run), run.run),
        tuple[Whole, str],
        run_shown,
        tuple(RunShown.__annotations__),
    )
    return listing.answer(cursor, limit, export)


@router.get("/{run}", response_model=RunShown)
def run(request: Request, here: Viewer, run: RunId) -> Response:
    """A run as far as it got."""
    shown = _shown(here, run)
    return etagged(request, shown, tag_of(shown))


@router.get("/{run}/events", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
async def events(request: Request, here: Viewer, run: RunId) -> Response:
    """The run whenever something about it changes (`event: run`), until it has ended."""
    last = _shown(here, run)
    first = True

    def look() -> Iterator[Event]:
        nonlocal last, first
        now = _shown(here, run)
        if first or now != last:
            first, last = False, now
            yield Event("run", now)

    events = whenever_changed(here.site.views, look, over=lambda: last["outcome"] is not None)
    return streamed(request, here.org, events)


def _shown(here: InOrg, run: str) -> RunShown:
    found = here.site.views.run(run)
    if found is None or found.org != here.org:
        raise not_found(f"run {run!r}")
    return run_shown(found)
