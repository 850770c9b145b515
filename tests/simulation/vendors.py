"""Both simulated vendors within reach of the real clients, without a network."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import httpx
from pydantic import HttpUrl, SecretStr
from starlette.types import Message

from producers.alleaves.client import AlleavesClient
from producers.alpine_iq.client import VENDOR, AlpineIQClient
from producers.http import Budget, Clock, FixedHeaders, Rate, VendorHttp
from stream.sandbox.alleaves import AlleavesCredentials
from stream.sandbox.alpine_iq import AlpineIQCredentials
from stream.sandbox.failures import Conditions
from stream.sandbox.serve import ALLEAVES_SKEW_MS, ALPINE_IQ_SKEW_MS, alleaves_app, alpine_iq_app, default_conditions
from stream.sandbox.wire import Wire
from stream.sandbox.world.model import World
from stream.sandbox.world.trade import Trade
from stream.settings import AlleavesSettings

ADDRESS = "http://vendor.invalid/api"


class InProcess(httpx.AsyncBaseTransport):
    """Requests go straight to the server's app. There and back take time, so that answers overtake each other."""

    def __init__(self, wire: Wire, draw: Random, seconds: float) -> None:
        self._wire = wire
        self._draw = draw
        self._seconds = seconds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        await self._travel()
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            messages.append(message)

        await self._wire(_scope(request), receive, send)
        await self._travel()
        start, *parts = messages
        if not parts or parts[-1].get("more_body", False):
            raise httpx.RemoteProtocolError("the peer closed the connection without sending all", request=request)
        content = b"".join(part.get("body", b"") for part in parts)
        return httpx.Response(start["status"], headers=start["headers"], content=content)

    async def _travel(self) -> None:
        await asyncio.sleep(self._draw.expovariate(2 / self._seconds))


def _scope(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.partition(b"?")[0],
        "query_string": request.url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("client", 1),
        "server": ("vendor", 80),
    }


class Vendors:
    """A world and the way to it. `seconds`: how long a call takes, on average."""

    def __init__(self, world: World, clock: Clock, draw: Random, seconds: float) -> None:
        hostile = world.options.hostility is not None
        self.world = world
        self.trade = Trade(world)
        self._clock = clock
        self._draw = draw
        self._seconds = seconds
        self.alleaves = alleaves_app(world, self.trade, self._now_ms, default_conditions(hostile, ALLEAVES_SKEW_MS))
        self.alpine_iq = alpine_iq_app(world, self.trade, self._now_ms, default_conditions(hostile, ALPINE_IQ_SKEW_MS))

    @property
    def wires(self) -> tuple[Wire, Wire]:
        """The point of sale's, the provider's."""
        return self.alleaves, self.alpine_iq

    def outage(self, wire: Wire, down: bool) -> None:
        """A vendor goes away, or comes back."""
        wire.conditions = _changed(wire.conditions, down)

    def shop(self, settings: AlleavesSettings) -> AlleavesClient:
        """A new client of the point of sale."""
        return AlleavesClient.of(settings, clock=self._clock, transport=self._way_to(self.alleaves))

    def provider(self) -> AlpineIQClient:
        """A new client of the provider."""
        credentials = AlpineIQCredentials()
        http = VendorHttp(
            vendor=VENDOR,
            base_url=ADDRESS,
            timeout_seconds=30,
            budget=Budget([Rate(5, 1), Rate(120, 60), Rate(2000, 3600)], at_once=4, clock=self._clock),
            authorize=FixedHeaders({"X-APIKEY": credentials.api_key}),
            clock=self._clock,
            transport=self._way_to(self.alpine_iq),
        )
        return AlpineIQClient(http, credentials.uid, clock=self._clock)

    def _way_to(self, wire: Wire) -> InProcess:
        return InProcess(wire, self._draw, self._seconds)

    def _now_ms(self) -> int:
        return int(self._clock.wall() * 1000)


def alleaves_settings(**chosen: object) -> AlleavesSettings:
    """Access to the simulated point of sale."""
    known = AlleavesCredentials()
    return AlleavesSettings(
        base_url=HttpUrl(ADDRESS),
        username=known.username,
        password=SecretStr(known.password),
        pin=SecretStr(known.pin),
        **chosen,  # type: ignore[arg-type]
    )


def _changed(conditions: Conditions, down: bool) -> Conditions:
    return conditions.changed({"outage": down})
