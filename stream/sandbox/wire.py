"""The way to a vendor's app: it counts, delays, limits and fails calls as `Conditions` say."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from email.utils import formatdate

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream.sandbox.failures import Conditions, Failure, Injector
from stream.sandbox.traffic import Traffic

Clock = Callable[[], int]
"""UTC milliseconds."""


class Wire:
    """The way to a vendor: latency, rate limits, outages and failures. `/sandbox/` is exempt from all of it."""

    def __init__(
        self,
        conditions: Conditions,
        injector: Injector,
        clock: Clock,
        error_key: str = "message",
        on_unauthorized: Callable[[], None] = lambda: None,
    ) -> None:
        self.conditions = conditions
        self.traffic = Traffic()
        self.app: ASGIApp = _nothing
        """What is at the other end; it needs the wire's clock, so it comes second."""
        self._injector = injector
        self._clock = clock
        self._error_key = error_key
        self._on_unauthorized = on_unauthorized

    def now_ms(self) -> int:
        """The vendor's clock, wrong by its skew."""
        return self._clock() + self.conditions.clock_skew_ms

    def token_seconds(self) -> int:
        return self.conditions.token_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        send = self._dated(send)
        if scope["path"].startswith("/sandbox/"):
            await self.app(scope, receive, send)
            return
        self.traffic.arrived(_template(scope), time.monotonic())
        try:
            await self._serve(scope, receive, self._counted(send))
        finally:
            self.traffic.in_flight -= 1

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        conditions = self.conditions
        limited = self._over_limit(time.monotonic())
        await asyncio.sleep(conditions.latency_ms / 1000)
        if conditions.outage:
            await self._answer(send, 503, "temporarily unavailable")
        elif limited:
            await self._answer(send, 429, "too many requests", conditions.retry_after_seconds)
        else:
            call = f"{scope['method']} {scope['path']}?".encode() + scope["query_string"] + b" " + body
            failure = self._injector.next(conditions.rates, call)
            await self._fail(failure, scope, body, send)

    async def _fail(self, failure: Failure | None, scope: Scope, body: bytes, send: Send) -> None:
        if failure is Failure.UNAUTHORIZED and scope["path"].endswith("/auth"):
            failure = None
        if failure is not None:
            self.traffic.failures[failure] += 1
        match failure:
            case Failure.SERVER_ERROR:
                await self._answer(send, 500, "internal server error")
            case Failure.RATE_LIMITED:
                await self._answer(send, 429, "too many requests", self.conditions.retry_after_seconds)
            case Failure.RATE_LIMITED_BARE:
                await self._answer(send, 429, "too many requests")
            case Failure.UNAUTHORIZED:
                self._on_unauthorized()
                await self._answer(send, 401, "invalid token")
            case Failure.REFUSED:
                payload = {"success": False, "errors": [{"message": "internal error, please try again"}]}
                await _respond(send, 200, msgspec.json.encode(payload))
            case Failure.HTML:
                page = b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
                await _respond(send, 502, page, b"text/html")
            case Failure.DROPPED | Failure.TRUNCATED:
                await self._cut(failure, scope, body, send)
            case _:
                if failure is Failure.SLOW:
                    await asyncio.sleep(self.conditions.slow_ms / 1000)
                await self.app(scope, _replay(body), send)

    async def _cut(self, failure: Failure, scope: Scope, body: bytes, send: Send) -> None:
        """The call is carried out, and half of the answer gets through."""
        start, content = await _captured(self.app, scope, body)
        half = content[: len(content) // 2]
        if failure is Failure.TRUNCATED:
            await _respond(send, start["status"], half)
            return
        await send(start)
        await send({"type": "http.response.body", "body": half, "more_body": True})  # and never the rest

    async def _answer(self, send: Send, status: int, message: str, retry_after: int | None = None) -> None:
        payload: dict[str, object] = {self._error_key: message}
        if self._error_key == "errors":
            payload = {"success": False, "code": status, "errors": [{"message": message}]}
        headers = [] if retry_after is None else [(b"retry-after", str(retry_after).encode())]
        await _respond(send, status, msgspec.json.encode(payload), extra=headers)

    def _over_limit(self, now: float) -> bool:
        over = any(self.traffic.within(seconds, now) > calls for calls, seconds in self.conditions.limits)
        self.traffic.over_limit += over
        return over

    def _dated(self, send: Send) -> Send:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = formatdate(self.now_ms() / 1000, usegmt=True).encode()
                message["headers"] = [*message.get("headers", ()), (b"date", date)]
            await send(message)

        return dated

    def _counted(self, send: Send) -> Send:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.traffic.statuses[str(message["status"])] += 1
            await send(message)

        return counted


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("the wire has nothing at its other end: set `app`")


async def _respond(
    send: Send,
    status: int,
    content: bytes,
    media_type: bytes = b"application/json",
    extra: list[tuple[bytes, bytes]] | None = None,
) -> None:
    headers = [(b"content-type", media_type), (b"content-length", str(len(content)).encode()), *(extra or ())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _captured(app: ASGIApp, scope: Scope, body: bytes) -> tuple[Message, bytes]:
    messages: list[Message] = []

    async def collect(message: Message) -> None:
        messages.append(message)

    await app(scope, _replay(body), collect)
    return messages[0], b"".join(message.get("body", b"") for message in messages[1:])


def _template(scope: Scope) -> str:
    """The path without ids and people in it: `GET /api/order/{}`."""
    path = re.sub(r"(?<=/lookup/).+|(?<=/)\d+(?=/|$)", "{}", scope["path"])
    return f"{scope['method']} {path}"
