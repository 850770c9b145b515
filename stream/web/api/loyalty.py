"""`/api/loyalty`: the calls that other systems already use. Names and meanings are the brief's."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response
from typing_extensions import TypedDict

from stream.contracts.access import Role
from stream.web.counter import PointsAnswer
from stream.web.listing import json_response
from stream.web.phones import CHARACTERS_MAX
from stream.web.problems import not_found
from stream.web.requests import ID_PATTERN, ORG_PATTERN, Caller, TheSite, ViewerOfQuery, require
from stream.web.service import WAIT_SECONDS_MAX, SyncAnswer
from stream.web.shapes.customers import Report, report
from stream.web.shapes.status import StatsShown, stats_shown

router = APIRouter(prefix="/api/loyalty", tags=["loyalty"])


class SyncRequest(BaseModel):
    """Without `customerId` the whole org is synced. `reason`: why, for the audit."""

    model_config = ConfigDict(extra="forbid", strict=True)

    org_id: str = Field(alias="orgId", pattern=ORG_PATTERN)
    customer_id: str | None = Field(None, alias="customerId", pattern=ID_PATTERN)
    reason: str | None = Field(None, min_length=1, max_length=2000, pattern=r"\S")


class StatsAnswer(TypedDict):
    success: Literal[True]
    stats: StatsShown


class ReportAnswer(TypedDict):
    success: Literal[True]
    report: Report


Wait = Annotated[
    float, Query(ge=0, le=WAIT_SECONDS_MAX, description="Seconds to wait for the run to end; 0: answer at once.")
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="The same key again asks for the same run. It belongs to what is asked for: with another org or "
        "customer it is another run.",
    ),
]


@router.post("/sync", status_code=202, response_model=SyncAnswer, responses={200: {"model": SyncAnswer}})
async def sync(
    body: SyncRequest, site: TheSite, caller: Caller, wait: Wait = 0, key: IdempotencyKey = None
) -> Response:
    """Ask for a run: 202 with its id and where to follow it, or 200 when it ended within `wait` seconds.

    A customer takes the role support, a whole org manager. Runs of a whole org go one after the other; without an
    `Idempotency-Key` one that has not begun yet is joined.
    """
    role = Role.MANAGER if body.customer_id is None else Role.SUPPORT
    require(site, caller, body.org_id, role)
    if body.customer_id is None:
        answer = await site.service.sync_all_customers(
            body.org_id, by=caller.id, key=key, wait_seconds=wait, reason=body.reason
        )
    else:
        answer = await site.service.sync_customer(
            body.customer_id, body.org_id, by=caller.id, key=key, wait_seconds=wait, reason=body.reason
        )
    ended = answer["status"] in ("completed", "failed")
    return json_response(answer, status=200 if ended else 202, headers={"location": answer["follow"]})


@router.get("/sync")
def sync_stats(
    here: ViewerOfQuery, customer_id: Annotated[str | None, Query(alias="customerId", pattern=ID_PATTERN)] = None
) -> StatsAnswer | ReportAnswer:
    """The brief's figures of an org or, with `customerId`, the reconciliation report of that customer."""
    if customer_id is None:
        return {"success": True, "stats": stats_shown(here.site.views, here.org)}
    found = report(here.site.views, here.org, customer_id)
    if found is None:
        raise not_found(f"customer {customer_id!r} of org {here.org!r}")
    return {"success": True, "report": found}


@router.get("/check-points")
async def check_points(
    here: ViewerOfQuery,
    phone: Annotated[str, Query(min_length=1, max_length=CHARACTERS_MAX, description="In any usual form.")],
) -> PointsAnswer:
    """The points of whoever has this number. A number that nobody or that several people have is an answer too."""
    return await here.site.service.check_points(phone, here.org)
