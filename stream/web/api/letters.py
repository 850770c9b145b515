"""Dead letters: what could not be understood, why, and what is to be done about it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response
from typing_extensions import TypedDict

from stream.sinks.views.shown import DeadLetter, LetterReason
from stream.web.etags import tag_of
from stream.web.listing import LIMIT, Cursor, Export, Limit, Listing, Page, etagged, json_response
from stream.web.requests import Manager, Viewer
from stream.web.shapes.happenings import LetterShown, letter_shown

router = APIRouter(prefix="/api/v1/orgs/{org}/dead-letters", tags=["dead letters"])

Whole = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
Place = Annotated[str, Path(pattern=r"^[0-9]{1,9}:[0-9]{1,15}$", description="`partition:offset`, as in lists.")]
Words = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]


REASONS_SHOWN = 50
REASONS_EXPORTED = 10_000


class ReasonShown(TypedDict):
    """How many undecided dead letters have one reason."""

    stage: str
    reason: str
    count: int


class Reasons(TypedDict):
    items: list[ReasonShown]


class Retry(BaseModel):
    """Try again: a record goes into its topic once more, a vendor's is read again by a run."""

    model_config = ConfigDict(extra="forbid")
    action: Literal["retry"]
    reason: Words | None = None


class Discard(BaseModel):
    """Nothing is to be done about it, for a reason."""

    model_config = ConfigDict(extra="forbid")
    action: Literal["discard"]
    reason: Words


@router.get("", response_model=Page[LetterShown])
def letters(
    here: Viewer,
    stage: Annotated[str | None, Query(max_length=100, description="Who gave it up.")] = None,
    reason: Annotated[str | None, Query(max_length=200, description="A part of the reason.")] = None,
    undecided: Annotated[bool, Query(description="Only those that nobody has decided about.")] = False,
    cursor: Cursor = None,
    limit: Limit = LIMIT,
    export: Export = None,
) -> Response:
    """Dead letters, newest first, redacted."""
    listing: Listing[DeadLetter, LetterShown] = Listing(
        f"dead-letters-{here.org}",
        lambda after, limit: here.site.views.dead_letters(
            limit, org=here.org, stage=stage, reason=reason, undecided=undecided, after=after
        ),
        lambda letter: (letter.at, letter.partition, letter.offset),
        tuple[Whole, Whole, Whole],
        letter_shown,
        tuple(LetterShown.__annotations__),
    )
    return listing.answer(cursor, limit, export)


@router.get("/reasons", response_model=Reasons)
def reasons(here: Viewer, export: Export = None) -> Response:
    """How many undecided ones there are for each reason, the most frequent first."""
    found = here.site.views.letter_reasons(here.org, limit=REASONS_SHOWN if export is None else REASONS_EXPORTED)
    listing: Listing[LetterReason, ReasonShown] = Listing(
        f"reasons-{here.org}",
        lambda after, _: found if after is None else [],
        lambda each: (each.stage, each.reason),
        tuple[str, str],
        lambda each: {"stage": each.stage, "reason": each.reason, "count": each.count},
        tuple(ReasonShown.__annotations__),
    )
    if export is not None:
        return listing.answer(None, LIMIT, export)
    return json_response({"items": [listing.shown(each) for each in found]})


@router.get("/{place}", response_model=LetterShown)
def letter(request: Request, here: Viewer, place: Place) -> Response:
    """A dead letter, redacted."""
    shown = letter_shown(here.site.decisions.letter(here.org, place))
    return etagged(request, shown, tag_of(shown))


@router.post("/{place}/actions")
async def act(
    here: Manager, place: Place, body: Annotated[Retry | Discard, Field(discriminator="action")]
) -> LetterShown:
    """Retry or discard it."""
    decisions, by = here.site.decisions, here.caller.id
    if isinstance(body, Retry):
        return letter_shown(await decisions.retry_letter(here.org, place, by=by, reason=body.reason))
    return letter_shown(await decisions.discard_letter(here.org, place, by=by, reason=body.reason))
