"""The simulated point of sale: Alleaves over HTTP, as far as anybody knows it.

Assumed where the vendor is silent: a page has at most 100 orders whatever is asked; an unknown order is a 404
with `error`; bad credentials are a 401 with `message`; what `world.options.Listing` says of `GET /order`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stream.sandbox.requests import decoded, number
from stream.sandbox.world.model import DAY_MS, World
from stream.sandbox.world.rows import customer_row, encode, location_row, order_row, single_order_row


@dataclass(frozen=True, slots=True)
class AlleavesCredentials:
    """Good for the sandbox only."""

    username: str = "sandbox@shop.example"
    password: str = "sandbox-password"
    pin: str = "1234"


class LogIn(msgspec.Struct):
    username: str
    password: str
    pin: str | None = None


class CustomerSearch(msgspec.Struct):
    """`POST /customer/search`: both numbers are required."""

    page: int
    pageSize: int  # noqa: N815  # the name outside
    query: str | None = None


class Tokens:
    """JSON web tokens (HS256) with an `exp`. Revoking makes every token given out so far invalid."""

    def __init__(self, seed: int) -> None:
        self._secret = hashlib.sha256(f"sandbox:{seed}".encode()).digest()
        self._serial = 0
        self._valid_from = 0

    def issue(self, now_ms: int, life_seconds: int) -> str:
        self._serial += 1
        now = now_ms // 1000
        claims = {"id_user": 1, "serial": self._serial, "iat": now, "exp": now + life_seconds}
        header = {"alg": "HS256", "typ": "JWT"}
        unsigned = f"{_base64(msgspec.json.encode(header))}.{_base64(msgspec.json.encode(claims))}"
        return f"{unsigned}.{self._signature(unsigned)}"

    def valid(self, token: str, now_ms: int) -> bool:
        unsigned, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature, self._signature(unsigned)):
            return False
        claims = msgspec.json.decode(base64.urlsafe_b64decode(unsigned.split(".")[1] + "=="), type=dict[str, int])
        return claims["exp"] * 1000 > now_ms and claims["serial"] > self._valid_from

    def revoke(self) -> None:
        self._valid_from = self._serial

    def _signature(self, unsigned: str) -> str:
        return _base64(hmac.digest(self._secret, unsigned.encode(), "sha256"))


class VendorClock(Protocol):
    """The vendor's own time, and how long a new token lives."""

    def now_ms(self) -> int: ...

    def token_seconds(self) -> int: ...


class Alleaves:
    """Request handlers over a world."""

    def __init__(self, world: World, credentials: AlleavesCredentials, tokens: Tokens, clock: VendorClock) -> None:
        self._world = world
        self._credentials = credentials
        self._tokens = tokens
        self._clock = clock

    def routes(self) -> list[Route]:
        return [
            Route("/api/auth", self.authenticate, methods=["POST"]),
            Route("/api/location", self.locations),
            Route("/api/customer/search", self.search_customers, methods=["POST"]),
            Route("/api/order", self.list_orders),
            Route("/api/order/{order_id:int}", self.read_order),
        ]

    async def authenticate(self, request: Request) -> Response:
        """Name and password as JSON, or as HTTP Basic without a body."""
        basic = request.headers.get("authorization", "").startswith("Basic ")
        given = _basic(request.headers["authorization"]) if basic else decoded(await request.body(), LogIn)
        known = self._credentials
        right = (given.username, given.password) == (known.username, known.password)
        if not right or given.pin not in (None, known.pin):
            return _failed(401, message="Invalid username or password")
        token = self._tokens.issue(self._clock.now_ms(), self._clock.token_seconds())
        if basic:
            return _json({"token": token})
        person = {"id_user": 1, "name_first": "Sandbox", "name_last": "User", "username": given.username}
        return _json({"token": token, **person, "id_company": 1, "company": "Sandbox Shop"})

    async def locations(self, request: Request) -> Response:
        self._admit(request)
        return _json([location_row(location) for location in self._world.locations])

    async def search_customers(self, request: Request) -> Response:
        """An object with numeric-string keys, without a total."""
        self._admit(request)
        asked = decoded(await request.body(), CustomerSearch)
        page, size = max(asked.page, 1), max(1, min(asked.pageSize, 1_000))
        if asked.query:
            rows = [row for row in map(customer_row, self._world.customers.values()) if _mentions(row, asked.query)]
            rows = rows[(page - 1) * size : page * size]
        else:
            start, stop = self._window(page, size)
            rows = [customer_row(each) for each in self._world.customers_at(start, stop - start)]
        return _json({str(index): row for index, row in enumerate(rows)})

    async def list_orders(self, request: Request) -> Response:
        """A bare array of the orders created between two dates."""
        self._admit(request)
        query = request.query_params
        page = max(1, number(query.get("page"), 1))
        size = max(1, min(number(query.get("pageSize"), 100), self._world.options.listing.max_page_size))
        positions = self._positions(query.get("startDate"), query.get("endDate"))
        start, stop = self._window(page, size)
        world = self._world
        return _json([order_row(world, world.order_at(position)) for position in positions[start:stop]])

    async def read_order(self, request: Request) -> Response:
        self._admit(request)
        order = self._world.orders.get(request.path_params["order_id"])
        if order is None:
            return _failed(404, error="Order not found")
        return _json(single_order_row(self._world, order))

    def _positions(self, start: str | None, end: str | None) -> range:
        listing = self._world.options.listing
        if not start or not end:
            now_ms = self._clock.now_ms()
            found = self._world.orders_between(now_ms - listing.default_days * DAY_MS, now_ms + DAY_MS)
        else:
            offset = timedelta(hours=listing.utc_offset_hours)
            until = _date(end) + timedelta(days=1 if listing.end_inclusive else 0)
            found = self._world.orders_between(_midnight(_date(start), offset), _midnight(until, offset))
        return found[::-1] if listing.newest_first else found

    def _window(self, page: int, size: int) -> tuple[int, int]:
        """First and last row of a page; with `repeat_every` rows slide down so that some are listed twice."""
        every = self._world.options.listing.repeat_every
        slid = (page - 1) // every if every else 0
        return max(0, (page - 1) * size - slid), page * size - slid

    def _admit(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not self._tokens.valid(token, self._clock.now_ms()):
            raise HTTPException(401, "invalid token")


def _json(value: object) -> Response:
    return Response(encode(value), media_type="application/json")


def _failed(status: int, **fields: str) -> Response:
    return Response(encode(fields), status, media_type="application/json")


def _basic(header: str) -> LogIn:
    try:
        username, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    except ValueError as error:
        raise HTTPException(401, "malformed credentials") from error
    return LogIn(username, password)


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise HTTPException(400, f"not a date (YYYY-MM-DD): {text}") from error


def _midnight(day: date, offset: timedelta) -> int:
    """The start of a day, in UTC milliseconds, where clocks are `offset` ahead of UTC."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - offset
    return int(start.timestamp()) * 1000


def _mentions(row: dict[str, object], query: str) -> bool:
    wanted = query.lower()
    fields = ("id_customer", "name_first", "name_last", "email", "phone", "phone2")
    return any(wanted in str(row.get(key) or "").lower() for key in fields)
