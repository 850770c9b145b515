"""The agent tool: an MCP server (Model Context Protocol) with `check_points` and `explain_points`.

A caller on stdin and stdout is whoever may read the data folder. Over HTTP every request needs an API key, and an org
that the key is not for does not exist for it.
"""

from __future__ import annotations

import contextlib
import inspect
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any

import structlog
from mcp.server.fastmcp import Context, FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from mcp.server.session import ServerSession
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import ContentBlock, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from stream.contracts.access import Role
from stream.errors import LoyaltyError
from stream.web.access.authenticator import Authenticator
from stream.web.access.gate import Gate
from stream.web.access.principals import Principal, local
from stream.web.counter import Explanation
from stream.web.phones import CHARACTERS_MAX
from stream.web.problems import Problem
from stream.web.requests import ORG_PATTERN
from stream.web.service import LoyaltySync
from stream.web.site import CALLS_A_MINUTE

log = structlog.get_logger(__name__)

NAME = "loyalty"
PATH = "/mcp"
INSTRUCTIONS = """Loyalty points of a dispensary's customers, from two sides: what Alpine IQ (the loyalty provider)
shows, and what the orders in the point of sale give. Use check_points for how many points somebody has, explain_points
when they ask why. Say to a customer only what `say_to_customer` or `message` says; everything else is for staff. Every
answer says how old its parts are. Nothing here changes anything."""
LOOKS = ToolAnnotations(readOnlyHint=True, destructiveHint=False, idempotentHint=True, openWorldHint=False)

Org = Annotated[str, Field(pattern=ORG_PATTERN, description="The org's id, such as brand_example.")]
Phone = Annotated[
    str,
    Field(
        min_length=1,
        max_length=CHARACTERS_MAX,
        description="The customer's phone number in any usual form, such as +15551234567 or (555) 123-4567.",
    ),
]
Whoever = Annotated[
    str,
    Field(
        min_length=1,
        max_length=CHARACTERS_MAX,
        description="The customer's phone number in any usual form, or the point of sale's customer id, such as 3528.",
    ),
]
Calling = Context[ServerSession, object, Request]


Found = Annotated[bool, Field(description="Whether exactly one customer was meant; if not, `reason` says why.")]
WhyNot = Annotated[
    str | None,
    Field(
        description="unreadable_phone, unknown_phone, ambiguous_phone (several customers share it), unknown_customer "
        "or no_points_yet; null when found."
    ),
]
Ages = Annotated[
    dict[str, str | None],
    Field(description="Up to when each part is known, ISO 8601: orders, balances, this customer's balance and points."),
]


class Side(BaseModel):
    """One side's points."""

    points: int
    tier: str
    source: str = Field(description="alpine_iq, or orders where Alpine IQ's balance is not known.")


class Agreement(BaseModel):
    """Whether both sides agree."""

    model_config = ConfigDict(alias_generator=to_camel)

    reconciled: bool
    discrepancy: int | None = Field(description="Alpine IQ − orders, in points; null where it cannot be compared.")
    needs_review: bool = Field(description="A person should look at it.")


class Points(BaseModel):
    """`check_points`: the points that count, those from orders, and whether they agree; names are the brief's."""

    model_config = ConfigDict(alias_generator=to_camel)

    found: Found
    reason: WhyNot
    message: str = Field(description="The answer in one sentence, which may be said to the customer.")
    customer_id: str | None
    primary: Side | None = Field(description="The points that count.")
    calculated: Side | None = Field(description="What the orders give.")
    reconciliation: Agreement | None
    as_of: Ages


class LikelyCause(BaseModel):
    """A part of the discrepancy. All of them add up to it."""

    kind: str
    points: int
    orders: list[str]
    count: int = Field(description="How many orders it is about; `orders` names some.")
    detail: str | None


class Explained(BaseModel):
    """`explain_points`: what to say, and what lies behind it."""

    found: Found
    reason: WhyNot
    customer_id: str | None
    say_to_customer: str = Field(description="May be said aloud, word for word.")
    staff_only: list[str] = Field(description="For staff alone: never tell it to a customer.")
    points: int | None
    tier: str | None
    next_tier: str | None
    points_to_next_tier: int | None
    benefits: list[str]
    verdict: str | None = Field(
        description="matched, discrepancy, timing, not_enrolled, ambiguous, unknown or missing_internal."
    )
    discrepancy: int | None = Field(description="Alpine IQ − orders, in points.")
    unexplained: int | None = Field(description="What no cause explains; null where none was looked for.")
    causes: list[LikelyCause]
    case_id: str | None = Field(description="The open case about it.")
    as_of: Ages


CallerOf = Callable[[Calling], Principal]


class AgentTool:
    """The tools, over the service that API and dashboard answer from. `caller`: who makes a call."""

    def __init__(self, service: LoyaltySync, caller: CallerOf) -> None:
        self._service = service
        self._caller = caller

    async def check_points(self, phone: Phone, org_id: Org, context: Calling) -> Points:
        """How many points the customer with this phone number has: Alpine IQ's number and what the orders give, their
        tiers, and whether they agree. A number that nobody has, or that several customers share, is an answer
        (found: false), not an error; ask then for another number or for the customer id, which explain_points takes."""
        self._require(context, org_id)
        return Points.model_validate(await self._service.check_points(phone, org_id))

    async def explain_points(self, phone_or_customer: Whoever, org_id: Org, context: Calling) -> Explained:
        """Why a customer's points are what they are: a sentence to say to them, what only staff may know, the likely
        causes of a difference in points, the way to the next tier, and how old each part is."""
        self._require(context, org_id)
        return explained(await self._service.explain_points(phone_or_customer, org_id))

    def _require(self, context: Calling, org: str) -> None:
        """Raises Problem 404, with the orgs that there are for the caller, where it is none of them."""
        caller, known = self._caller(context), self._service.views.orgs()
        if org not in known or not caller.may(Role.VIEWER, org):
            own = ", ".join(caller.orgs(known)) or "none"
            raise Problem(404, f"org {org!r} is not known; you may ask about: {own}")


class _Server(FastMCP[None]):
    """Says what was wrong so that an agent can put it right, and nothing of what went wrong here."""

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> Sequence[ContentBlock] | dict[str, Any]:
        """See `FastMCP`."""
        try:
            return await super().call_tool(name, arguments)
        except ToolError as error:
            raise ToolError(await self._said(name, error.__cause__)) from error

    async def _said(self, name: str, cause: BaseException | None) -> str:
        tools = {tool.name: tool for tool in await self.list_tools()}
        if name not in tools:
            return f"there is no tool {name[:80]!r}: there are {', '.join(tools)}"
        if isinstance(cause, ValidationError) and cause.title == f"{name}Arguments":
            wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in cause.errors())
            return f"{wrong}. {name} takes {' and '.join(tools[name].inputSchema['properties'])}"
        if isinstance(cause, Problem | LoyaltyError):
            return str(cause)
        log.error("an agent's question could not be answered", tool=name, exc_info=cause)
        return "that went wrong here, and is logged: tell whoever runs this"


def explained(answer: Explanation) -> Explained:
    """The service's explanation, as the tool names its parts."""
    return Explained(
        found=answer["found"],
        reason=answer["reason"],
        customer_id=answer["customerId"],
        say_to_customer=answer["sayToCustomer"],
        staff_only=answer["staffOnly"],
        points=answer["points"],
        tier=answer["tier"],
        next_tier=answer["nextTier"],
        points_to_next_tier=answer["pointsToNextTier"],
        benefits=answer["benefits"],
        verdict=answer["verdict"],
        discrepancy=answer["discrepancy"],
        unexplained=answer["unexplained"],
        causes=[LikelyCause.model_validate(cause) for cause in answer["causes"]],
        case_id=answer["caseId"],
        as_of=answer["asOf"],
    )


def for_whoever_runs_it(_: Calling) -> Principal:
    """The caller on stdin and stdout: may all that its files allow."""
    return local()


def of_request(context: Calling) -> Principal:
    """The caller over HTTP, whom `stream.web.access.gate` has let in."""
    request = context.request_context.request
    found: Principal | None = None if request is None else request.state.principal
    if found is None:
        raise Problem(401, "send an API key as `Authorization: Bearer KEY`")
    return found


def agent_tool(service: LoyaltySync, caller: CallerOf) -> FastMCP[None]:
    """The server with both tools. Over HTTP it keeps no sessions: each request stands for itself."""
    server = _Server(
        NAME,
        instructions=INSTRUCTIONS,
        stateless_http=True,
        json_response=True,
        streamable_http_path=PATH,
        log_level="WARNING",
        # Rebinding a name gives nobody anything here: every request needs a key, which no browser sends by itself.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    tools = AgentTool(service, caller)
    for tool, title in ((tools.check_points, "Check points"), (tools.explain_points, "Explain points")):
        server.add_tool(tool, title=title, description=inspect.getdoc(tool), annotations=LOOKS)
    return server


@contextlib.asynccontextmanager
async def routes(service: LoyaltySync) -> AsyncIterator[list[BaseRoute]]:
    """The tools at `/mcp`, for an application behind a gate; they answer while the block runs."""
    server = agent_tool(service, of_request)
    # POST alone: nothing is ever sent on a stream that a GET would keep open.
    found: list[BaseRoute] = [
        Route(route.path, route.endpoint, methods=["POST"])
        for route in server.streamable_http_app().routes
        if isinstance(route, Route)
    ]
    async with server.session_manager.run():
        yield found


@contextlib.asynccontextmanager
async def over_http(
    service: LoyaltySync,
    authenticator: Authenticator,
    *,
    calls_a_minute: int = CALLS_A_MINUTE,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[ASGIApp]:
    """An application that serves the tools at `/mcp` to who has a key, usable while the block runs. `clock`: monotonic
    seconds."""
    async with routes(service) as found:
        yield Gate(Starlette(routes=found), authenticator=authenticator, calls_a_minute=calls_a_minute, clock=clock)
