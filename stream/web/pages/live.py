"""What moves while one looks: how current everything is, what is new, how a run goes; as fragments of the page."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import Response

from stream.sinks.views import shown_pages
from stream.web.events import Event, whenever_changed
from stream.web.pages import words
from stream.web.pages.page import Page, freshness_of, page_of, time_of
from stream.web.pages.rendering import document
from stream.web.pages.routes import PageRoute
from stream.web.pages.today import figures_of
from stream.web.requests import streamed

EVERYWHERE = {"asof": "as_of.html", "outage": "outage.html", "cases": "cases_count.html"}
WITH_NEWS = ("/", "/cases")
TODAY = "/"

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class Fragment(Event):
    """HTML to put into the page."""

    def encode(self) -> bytes:
        """As it goes over the wire: a line of data for each line."""
        lines = "".join(f"data: {line}\n" for line in str(self.data).splitlines() if line.strip())
        return f"event: {self.name}\n{lines or 'data:'}\n\n".encode()


@router.get("/live")
async def live(request: Request) -> Response:
    """How current everything is, and how many cases there are; on pages that list cases what is new, on those of one
    customer or case that it has changed."""
    page = page_of(request)
    since, path = time_of(page.query.get("since"), page.now), page.query.get("at", TODAY)
    said: dict[str, str] = {}
    shown = await asyncio.to_thread(_version, page, path)

    def look() -> Iterator[Event]:
        now = current(page)
        fragments = {name: document(template, page=now) for name, template in EVERYWHERE.items()}
        if path in WITH_NEWS:
            fragments["news"] = _news(now, since, path)
        elif shown is not None and _version(now, path) != shown:
            fragments["news"] = _linked(
                now, path, "The case has changed" if "/cases/" in path else "This customer has changed"
            )
        if path == TODAY and (figures := figures_of(now)).compared:
            fragments["today"] = document("today_figures.html", page=now, figures=figures)
        for name, text in fragments.items():
            if said.get(name) != text:
                said[name] = text
                yield Fragment(name, text)

    return streamed(request, page.org, whenever_changed(page.views, look))


def current(page: Page) -> Page:
    """The page as it would be now."""
    now = page.site.clock()
    views = page.views
    return replace(
        page,
        now=now,
        freshness=freshness_of(views.freshness(page.org), now),
        provider=views.provider(page.org),
        live_cases=shown_pages.live_cases(views, page.org, page.shop),
    )


def _news(page: Page, since: int, path: str) -> str:
    new = shown_pages.opened_since(page.views, page.org, since)
    ended = path == TODAY and bool(shown_pages.run_points(page.views, page.org, since=since + 1, limit=1))
    said = [words.counted(new, "new case")] if new else []
    said += ["a run has ended"] if ended else []
    return _linked(page, path, words.raised(", ".join(said))) if said else ""


def _linked(page: Page, path: str, said: str) -> str:
    return Markup('<a href="{}">{}: show</a>').format(page.link(path), said)


def _version(page: Page, path: str) -> tuple[int, int] | None:
    """Which version of a customer or a case its page shows; None for other pages."""
    match path.split("/"):
        case ["", "customers", customer]:
            profile = page.views.profile(page.org, unquote(customer))
            return (profile.epoch, profile.version) if profile else None
        case ["", "cases", customer, number] if number.isascii() and number.isdigit() and len(number) < 10:
            found = page.views.case(page.org, unquote(customer), int(number))
            return (found.case.epoch, found.case.version) if found else None
    return None
