"""What moves while one looks: how current everything is, what is new, how a run goes; as fragments of the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import Response

from stream.sinks.views import shown_pages
from stream.web.events import Event, whenever_changed
from stream.web.pages import words
from stream.web.pages.page import Page, freshness_of, page_of
from stream.web.pages.rendering import document
from stream.web.pages.routes import PageRoute
from stream.web.requests import streamed

WITH_NEWS = ("/", "/cases")

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class Fragment(Event):
    """HTML to put into the page."""

    def encode(self) -> bytes:
        """As it goes over the wire: a line of data for each line."""
        lines = "".join(f"data: {line}\n" for line in str(self.data).splitlines() if line.strip())
        return f"event: {self.name}\n{lines or 'data:'}\n\n".encode()


@router.get("/live")
async def live(request: Request) -> Response:
    """How current the figures are and, on pages that list cases, how many are new."""
    page = page_of(request)
    since, path = page.query.get("since", ""), page.query.get("at", "/")
    opened_after = int(since) if since.isascii() and since.isdigit() and len(since) < 16 else page.now
    said: dict[str, str] = {}

    def look() -> Iterator[Event]:
        now = current(page)
        fragments = {"asof": document("as_of.html", page=now)}
        if path in WITH_NEWS:
            fragments["news"] = _news(now, opened_after, path)
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
        page, now=now, freshness=freshness_of(views.freshness(page.org), now), provider=views.provider(page.org)
    )


def _news(page: Page, since: int, path: str) -> str:
    new = shown_pages.opened_since(page.views, page.org, since)
    if not new:
        return ""
    said = words.counted(new, "new case")
    return Markup('<a href="{}">{}: show</a>').format(page.link(path), said)
