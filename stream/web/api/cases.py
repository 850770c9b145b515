"""Cases, and what people decide about them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response
from typing_extensions import TypedDict

from stream.contracts.access import Role, user_name
from stream.contracts.cases import CaseState
from stream.contracts.facts import AcceptDifference, AcknowledgeCase, AssignCase, NoteCase, ResolveCase, SilenceCase
from stream.errors import BadRecord
from stream.sinks.views.shown import CustomerCase, weight_of
from stream.web.decisions import CaseDecision
from stream.web.etags import tag_of
from stream.web.listing import LIMIT, Cursor, Export, Limit, Listing, Page, etagged
from stream.web.problems import Problem
from stream.web.requests import InOrg, Support, Viewer, require
from stream.web.shapes.cases import CaseShown, case_shown

router = APIRouter(prefix="/api/v1/orgs/{org}/cases", tags=["cases"])

BULK_MAX = 100
Whole = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
CaseId = Annotated[str, Path(max_length=200, description="`org:customer:number`, as in lists.")]
Words = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]
_COLUMNS = tuple(name for name in CaseShown.__annotations__ if name not in ("history", "accepted"))
_MANAGERS = frozenset({"accept", "resolve"})


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Acknowledge(_Body):
    """I have seen it."""

    action: Literal["acknowledge"]
    note: Words | None = None


class Accept(_Body):
    """The difference is right, for a reason. `points`: which (signed; the case's where absent); `until`: no longer."""

    action: Literal["accept"]
    reason: Words
    points: Annotated[int, Field(strict=True, ge=-(1 << 53), le=1 << 53)] | None = None
    until: AwareDatetime | None = None


class Silence(_Body):
    """No alerts about it until then."""

    action: Literal["silence"]
    until: AwareDatetime
    reason: Words | None = None


class Note(_Body):
    """Write something down."""

    action: Literal["note"]
    note: Words


class Assign(_Body):
    """Somebody is to look after it (`to` null: nobody any more)."""

    action: Literal["assign"]
    to: Annotated[str, Field(min_length=1, max_length=64)] | None
    reason: Words | None = None


class Resolve(_Body):
    """It is over, for a reason."""

    action: Literal["resolve"]
    reason: Words


AnyAction = Annotated[Acknowledge | Accept | Silence | Note | Assign | Resolve, Field(discriminator="action")]


class Bulk(_Body):
    """One action on several cases: on all of them or, where one cannot be, on none."""

    cases: Annotated[list[Annotated[str, Field(max_length=200)]], Field(min_length=1, max_length=BULK_MAX)]
    action: AnyAction


class Decided(TypedDict):
    """The cases as they are now. What a decision changed may follow within seconds; one that the rules refuse shows as
    `declined` in the history."""

    cases: list[CaseShown]


@router.get("", response_model=Page[CaseShown])
def cases(
    here: Viewer,
    state: Annotated[CaseState | None, Query(description="Without it: all that are not resolved.")] = None,
    assigned: Annotated[str | None, Query(max_length=64, description="Only those that they look after.")] = None,
    cursor: Cursor = None,
    limit: Limit = LIMIT,
    export: Export = None,
) -> Response:
    """Cases by unexplained points, most first."""
    listing: Listing[CustomerCase, CaseShown] = Listing(
        f"cases-{here.org}",
        lambda after, limit: here.site.views.inbox(
            here.org, state=state, assigned_to=assigned, after=after, limit=limit
        ),
        lambda shown: (weight_of(shown.case), shown.customer, shown.case.number),
        tuple[Whole, str, Whole],
        case_shown,
        _COLUMNS,
    )
    return listing.answer(cursor, limit, export)


@router.post("/actions")
async def act_on_several(here: Support, body: Bulk) -> Decided:
    """Do the same to several cases. `accept` and `resolve` take the role manager, the others support."""
    _require_role(here, body.action)
    decided = [_decision(here, case, body.action) for case in dict.fromkeys(body.cases)]
    return {"cases": [case_shown(case) for case in await here.site.decisions.decide_cases(here.org, decided)]}


@router.get("/{case}", response_model=CaseShown)
def case(request: Request, here: Viewer, case: CaseId) -> Response:
    """A case with its causes and history."""
    shown = case_shown(here.site.decisions.case(here.org, case))
    return etagged(request, shown, tag_of(shown))


@router.post("/{case}/actions")
async def act(here: Support, case: CaseId, body: AnyAction) -> CaseShown:
    """Acknowledge, accept, silence, note, assign or resolve. `accept` and `resolve` take the role manager."""
    _require_role(here, body)
    decision = _decision(here, case, body)
    return case_shown((await here.site.decisions.decide_cases(here.org, [decision]))[0])


def _require_role(here: InOrg, action: AnyAction) -> None:
    if action.action in _MANAGERS:
        require(here.site, here.caller, here.org, Role.MANAGER)


def _decision(here: InOrg, case_id: str, action: AnyAction) -> CaseDecision:
    by = here.caller.id
    match action:
        case Acknowledge():
            return AcknowledgeCase(case_id, by, action.note)
        case Accept():
            known = here.site.decisions.case(here.org, case_id).case
            points = known.difference if action.points is None else action.points
            return AcceptDifference(case_id, by, points, action.reason, _later(here, action.until))
        case Silence():
            until = _later(here, action.until)
            assert until is not None
            return SilenceCase(case_id, by, until, action.reason)
        case Note():
            return NoteCase(case_id, by, action.note)
        case Assign():
            return AssignCase(case_id, by, _somebody(action.to), action.reason)
        case Resolve():
            return ResolveCase(case_id, by, action.reason)


def _later(here: InOrg, until: AwareDatetime | None) -> int | None:
    """UTC ms. Raises Problem when it is past, or beyond all calendars."""
    if until is None:
        return None
    millis = round(until.timestamp() * 1000)
    if millis <= here.site.clock():
        raise Problem(422, "until: is in the past")
    return millis


def _somebody(name: str | None) -> str | None:
    try:
        return None if name is None else user_name(name)
    except BadRecord as error:
        raise Problem(422, f"to: {error}") from error
