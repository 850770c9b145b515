"""Alerts after a cursor, and as they come; and what became of the messages about them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from stream.sinks.views.shown import SentDelivery, ShownAlert
from stream.web.events import Event, whenever_changed
from stream.web.listing import (
    CURSOR_CHARACTERS_MAX,
    LIMIT,
    Cursor,
    Export,
    Limit,
    Listing,
    Page,
    decode_cursor,
    encode_cursor,
    json_response,
)
from stream.web.requests import Viewer, streamed
from stream.web.shapes.happenings import AlertShown, DeliveryShown, alert_shown, delivery_shown

router = APIRouter(prefix="/api/v1/orgs/{org}", tags=["alerts"])

Whole = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
Places = Annotated[dict[Annotated[int, msgspec.Meta(ge=0, le=1 << 31)], Whole], msgspec.Meta(max_length=1024)]
AT_ONCE = 100
After = Annotated[
    str | None,
    Query(
        max_length=CURSOR_CHARACTERS_MAX,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="`next` of the answer before: only alerts after it. Without it: from the oldest that is kept.",
    ),
]


@router.get("/alerts", response_model=Page[AlertShown])
def alerts(here: Viewer, after: After = None, limit: Limit = LIMIT, export: Export = None) -> Response:
    """The next alerts after a cursor, oldest first. `next` is always there: ask with it again for what came since. No
    alert is left out and none comes twice, whatever happens to the views."""
    places = _places(after)
    views, org = here.site.views, here.org
    if export is not None:
        listing: Listing[tuple[ShownAlert, dict[int, int]], AlertShown] = Listing(
            f"alerts-{org}",
            lambda key, limit: _following(views.alerts_after(org, key or places, limit=limit), key or places),
            lambda item: item[1],
            Places,
            lambda item: alert_shown(item[0]),
            tuple(AlertShown.__annotations__),
        )
        return listing.answer(None, limit, export)
    found = views.alerts_after(org, places, limit=limit)
    for alert in found:
        places[alert.partition] = alert.offset
    return json_response({"items": [alert_shown(alert) for alert in found], "next": encode_cursor(places)})


@router.get("/alerts/stream", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
async def stream(
    request: Request,
    here: Viewer,
    after: After = None,
    last: Annotated[
        str | None, Header(alias="Last-Event-ID", max_length=CURSOR_CHARACTERS_MAX, pattern=r"^[A-Za-z0-9_-]+$")
    ] = None,
) -> Response:
    """Alerts as they come (`event: alert`), from now on or after a cursor; the id of each event is a cursor."""
    views, org = here.site.views, here.org
    cursor = last or after
    places = _places(cursor) if cursor is not None else views.alert_ends()

    def look() -> Iterator[Event]:
        while found := views.alerts_after(org, places, limit=AT_ONCE):
            for alert in found:
                places[alert.partition] = alert.offset
                yield Event("alert", alert_shown(alert), encode_cursor(places))

    return streamed(request, org, whenever_changed(views, look))


@router.get("/deliveries", response_model=Page[DeliveryShown])
def deliveries(here: Viewer, cursor: Cursor = None, limit: Limit = LIMIT, export: Export = None) -> Response:
    """Messages to channels, the newest attempts first."""
    listing: Listing[SentDelivery, DeliveryShown] = Listing(
        f"deliveries-{here.org}",
        lambda after, limit: here.site.views.deliveries(here.org, after=after, limit=limit),
        lambda sent: (sent.at, sent.delivery.message, sent.delivery.channel),
        tuple[Whole, str, str],
        delivery_shown,
        tuple(DeliveryShown.__annotations__),
    )
    return listing.answer(cursor, limit, export)


def _places(cursor: str | None) -> dict[int, int]:
    if cursor is None:
        return {}
    decoded: Any = decode_cursor(cursor, Places)
    return dict(decoded)


def _following(found: list[ShownAlert], places: dict[int, int]) -> list[tuple[ShownAlert, dict[int, int]]]:
    """Each alert with the places after it."""
    items = []
    for alert in found:
        places = places | {alert.partition: alert.offset}
        items.append((alert, places))
    return items
