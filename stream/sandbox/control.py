"""The sandbox's own endpoints, on both servers, exempt from latency and failures.

| | |
|---|---|
| `GET, POST /sandbox/control` | read or change the server's conditions (`failures.Conditions`) |
| `GET /sandbox/stats`, `POST /sandbox/stats/reset` | calls per path, answers per status, failures, peaks |
| `POST /sandbox/trade` | `{"orders": n, "kinds": [...]?}`: that many changes, with their ids |
| `POST /sandbox/order` | `{"customer_id", "total", "state"?}`: one new order |
| `POST /sandbox/oracle` | `{rules}` (may be empty): the figures and every customer that must come out |
| `GET /sandbox/world` | what is special in this world: sample customers, equity field and override list |
"""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal, InvalidOperation

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stream.sandbox.oracle import Rules, expected, points_now
from stream.sandbox.requests import decoded
from stream.sandbox.wire import Wire
from stream.sandbox.world.model import OrderState, World
from stream.sandbox.world.rows import Row, encode, order_row
from stream.sandbox.world.trade import ChangeKind, Trade


class TradeRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`provider_follows`: whether members' balances move with their orders, at once (see `Trade`)."""

    orders: int = 1
    kinds: tuple[ChangeKind, ...] = tuple(ChangeKind)
    provider_follows: bool | None = None


class OrderRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`total`: decimal dollars."""

    customer_id: int
    total: str
    state: OrderState = OrderState.COMPLETED


class Control:
    """Request handlers for one server's wire and the world that both servers share."""

    def __init__(self, world: World, trade: Trade, wire: Wire) -> None:
        self._world = world
        self._trade = trade
        self._wire = wire

    def routes(self) -> list[Route]:
        return [
            Route("/sandbox/control", self.read_conditions, methods=["GET"]),
            Route("/sandbox/control", self.change_conditions, methods=["POST"]),
            Route("/sandbox/stats", self.stats),
            Route("/sandbox/stats/reset", self.reset_stats, methods=["POST"]),
            Route("/sandbox/trade", self.trade, methods=["POST"]),
            Route("/sandbox/order", self.add_order, methods=["POST"]),
            Route("/sandbox/oracle", self.oracle, methods=["POST"]),
            Route("/sandbox/world", self.world),
        ]

    async def read_conditions(self, request: Request) -> Response:
        return _json(msgspec.to_builtins(self._wire.conditions))

    async def change_conditions(self, request: Request) -> Response:
        fields = decoded(await request.body(), dict[str, object])
        try:
            self._wire.conditions = self._wire.conditions.changed(fields)
        except msgspec.ValidationError as error:
            raise HTTPException(400, str(error)) from error
        return await self.read_conditions(request)

    async def stats(self, request: Request) -> Response:
        return _json(self._wire.traffic.as_dict())

    async def reset_stats(self, request: Request) -> Response:
        self._wire.traffic.reset()
        return _json({})

    async def trade(self, request: Request) -> Response:
        asked = decoded(await request.body(), TradeRequest)
        if asked.provider_follows is not None:
            self._trade.provider_follows = asked.provider_follows
        changes = self._trade.run(asked.orders, self._wire.now_ms(), asked.kinds)
        return _json({"changes": [change.as_dict() for change in changes]})

    async def add_order(self, request: Request) -> Response:
        asked = decoded(await request.body(), OrderRequest)
        order = self._trade.sell(asked.customer_id, self._wire.now_ms(), _minor(asked.total), asked.state)
        points = points_now(self._world, asked.customer_id)
        return _json({"order": order_row(self._world, order), "points_from_orders": points})

    async def oracle(self, request: Request) -> Response:
        outcome = expected(self._world, decoded(await request.body(), Rules))
        customers = {str(key): asdict(customer) for key, customer in outcome.customers.items()}
        return _json({"stats": outcome.stats.as_dict(), "customers": customers})

    async def world(self, request: Request) -> Response:
        return _json(about(self._world))


def about(world: World) -> Row:
    """What a configuration or a test must know of a world."""
    orders, customers, members = world.size
    return {
        "seed": world.seed,
        "now_ms": world.now_ms,
        "hostile": world.options.hostility is not None,
        "orders": orders,
        "customers": customers,
        "members": members,
        "sample_customer_id": world.sample_customer_id,
        "sample_member_id": world.sample_member_id,
        "equity": {"field": "group", "values": ["equity"], "customers": sorted(world.equity_override)},
        "refunded_field": world.options.listing.refund_field,
    }


def _json(value: object) -> Response:
    return Response(encode(value), media_type="application/json")


def _minor(total: str) -> int:
    try:
        cents = Decimal(total) * 100
    except InvalidOperation as error:
        raise HTTPException(400, f"not an amount: {total}") from error
    if not cents.is_finite() or cents != cents.to_integral_value():
        raise HTTPException(400, f"not an amount in dollars and cents: {total}")
    return int(cents)
