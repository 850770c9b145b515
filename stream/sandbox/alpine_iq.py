"""The simulated loyalty provider: Alpine IQ over HTTP, as far as anybody knows it.

Assumed where the vendor is silent: a contact that is not found is a 404 in the envelope; a wrong `uid` is a 403;
`total` counts all matches and `size` the rows of this page; the shape of timeline events, adjustments and
redemptions (`contactID`, `type`, `points`, `note`, `timestamp` in epoch seconds; no ids).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Protocol

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stream.sandbox.requests import decoded, number
from stream.sandbox.world.model import Member, Movement, World
from stream.sandbox.world.rows import Row, encode, member_row, movement_row, shown_points


@dataclass(frozen=True, slots=True)
class AlpineIQCredentials:
    """Good for the sandbox only."""

    uid: str = "9001"
    api_key: str = "sandbox-alpine-key"


class WalletQuery(msgspec.Struct):
    phone: str | None = None
    email: str | None = None


class PointsAdjustment(msgspec.Struct):
    """A delta, without an idempotency key."""

    value: int
    note: str = ""


class Now(Protocol):
    def now_ms(self) -> int: ...


class AlpineIQ:
    """Request handlers over a world."""

    def __init__(self, world: World, credentials: AlpineIQCredentials, clock: Now) -> None:
        self._world = world
        self._credentials = credentials
        self._clock = clock

    def routes(self) -> list[Route]:
        return [
            Route("/api/v1.1/piis/{uid}", self.list_members),
            Route("/api/v2/loyalty/lookup/{who}", self.look_up),
            Route("/api/v2/wallet", self.wallet, methods=["POST"]),
            Route("/api/v1.1/contact/loyaltyPoints/timeline/{uid}/{contact_id}", self.timeline),
            Route("/api/v1.1/adjustments/{uid}/{start:int}/{end:int}", self.adjustments),
            Route("/api/v1.1/redemptions/{uid}/{start:int}/{end:int}", self.redemptions),
            Route("/api/v1.1/adjust/loyaltyPoints/{uid}/{contact_id}", self.adjust, methods=["PUT"]),
        ]

    async def list_members(self, request: Request) -> Response:
        """The bulk sweep. No match, or a page after the last: `results` is null."""
        self._admit(request)
        query = request.query_params
        start = max(0, number(query.get("start"), 0))
        limit = min(2_000, max(100, number(query.get("limit"), 100)))
        members = list(self._world.members.values())
        if search := query.get("search"):
            members = [member for member in members if _matches(member, search)]
        if query.get("dir", "asc").lower() == "desc":
            members.reverse()
        rows = [member_row(member) for member in members[start : start + limit]]
        return _ok({"results": rows or None, "start": start, "total": len(members), "limit": limit, "size": len(rows)})

    async def look_up(self, request: Request) -> Response:
        self._admit(request)
        who = request.path_params["who"]
        member = self._find(who, who)
        wallet: Row = {"points": shown_points(member)}
        if member.hidden:
            wallet["hidePointsInWallet"] = True
        return _ok({"contactID": member.contact_id, "member": True, "wallet": wallet})

    async def wallet(self, request: Request) -> Response:
        """Points read 0 where they are hidden."""
        self._admit(request)
        asked = decoded(await request.body(), WalletQuery)
        member = self._find(asked.phone or "", asked.email or "")
        data: Row = {
            "loyaltyPoints": shown_points(member),
            "hidePointsInWallet": member.hidden,
            "audiences": [],
            "discountTemplates": [],
        }
        return Response(encode({"success": True, "data": data, "contactID": member.contact_id}), headers=_JSON)

    async def timeline(self, request: Request) -> Response:
        self._admit(request)
        member = self._world.members.get(request.path_params["contact_id"])
        if member is None:
            raise HTTPException(404, "contact not found")
        start, end = number(request.query_params.get("start"), 0), number(request.query_params.get("end"), 2**40)
        events = [movement_row(member, each) for each in _history(member) if start <= each.at_ms // 1000 <= end]
        return _ok({"events": events or None})

    async def adjustments(self, request: Request) -> Response:
        return self._movements(request, frozenset({"adjustment", "expiry"}))

    async def redemptions(self, request: Request) -> Response:
        return self._movements(request, frozenset({"redemption"}))

    async def adjust(self, request: Request) -> Response:
        self._admit(request)
        member = self._world.members.get(request.path_params["contact_id"])
        if member is None:
            raise HTTPException(404, "contact not found")
        asked = decoded(await request.body(), PointsAdjustment)
        member.points = max(0, member.points + asked.value)
        member.movements.append(Movement("adjustment", asked.value, self._clock.now_ms(), asked.note))
        return _ok({"contactID": member.contact_id, "loyaltyPoints": member.points})

    def _movements(self, request: Request, kinds: frozenset[str]) -> Response:
        self._admit(request)
        start, end = request.path_params["start"], request.path_params["end"]
        hostile = self._world.options.hostility is not None
        rows = [
            movement_row(member, movement, hostile=hostile)
            for member in self._world.members.values()
            for movement in member.movements
            if movement.kind in kinds and start <= movement.at_ms // 1000 <= end
        ]
        return _ok(rows or None)

    def _find(self, phone: str, email: str) -> Member:
        digits = _digits(phone)
        for member in self._world.members.values():
            if (digits and member.phone == digits) or (email and member.email == email.lower()):
                return member
        raise HTTPException(404, "contact not found")

    def _admit(self, request: Request) -> None:
        """The key in `X-APIKEY` alone; the account in the path, where there is one."""
        key = request.headers.get("x-apikey", "")
        if not hmac.compare_digest(key.encode(), self._credentials.api_key.encode()):
            raise HTTPException(403, "Please provide a valid API key")
        if request.path_params.get("uid", self._credentials.uid) != self._credentials.uid:
            raise HTTPException(403, "Account not accessible with this API key")


_JSON = {"content-type": "application/json"}


def _ok(data: object) -> Response:
    return Response(encode({"success": True, "data": data}), headers=_JSON)


def _history(member: Member) -> list[Movement]:
    """The provider's account of a balance: all accrual as one event at enrolment, then the movements."""
    accrued = member.points - sum(movement.points for movement in member.movements)
    accrual = Movement("accrual", accrued, member.inserted_ms, "orders")
    return sorted([accrual, *member.movements], key=lambda movement: movement.at_ms)


def _matches(member: Member, search: str) -> bool:
    if search in ("has:points", "is:member"):
        return search == "is:member" or member.points > 0
    wanted, digits = search.lower(), _digits(search)
    named = wanted in f"{member.name_first} {member.name_last}".lower() or wanted == member.contact_id
    return named or member.email == wanted or (bool(digits) and member.phone == digits)


def _digits(phone: str) -> str | None:
    """The ten digits of a phone as somebody wrote it."""
    digits = "".join(filter(str.isdecimal, phone))
    digits = digits[1:] if len(digits) == 11 and digits.startswith("1") else digits
    return digits if len(digits) == 10 and "@" not in phone else None
