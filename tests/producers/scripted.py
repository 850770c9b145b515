"""A vendor that answers from a script: for tables of answers and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx

from producers.http import Authorization, Breaker, Budget, FixedHeaders, Rate, VendorHttp
from producers.http.client import LONGEST_BODY_BYTES
from tests.producers.hand_clock import HandClock

Step = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def answer(status: int = 200, body: str | bytes = "{}", headers: Mapping[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, content=body, headers=headers)


class Script(httpx.AsyncBaseTransport):
    """Plays `steps` one per request; the last one stays."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        if isinstance(step, httpx.Response):
            return httpx.Response(step.status_code, content=step.content, headers=step.headers)
        return step(request)


def vendor_http(
    script: Script,
    time: HandClock,
    *,
    authorize: Authorization | None = None,
    breaker: Breaker | None = None,
    rates: tuple[Rate, ...] = (Rate(1000, 1),),
    secrets: tuple[str, ...] = (),
    timeout_seconds: float = 5,
    longest_body_bytes: int = LONGEST_BODY_BYTES,
) -> VendorHttp:
    return VendorHttp(
        vendor="Vendor",
        base_url="https://vendor.test/api",
        timeout_seconds=timeout_seconds,
        budget=Budget(rates, at_once=10, clock=time.clock),
        authorize=authorize or FixedHeaders({"X-APIKEY": "key-123456789"}),
        breaker=breaker or Breaker(clock=time.clock),
        clock=time.clock,
        secrets=secrets,
        transport=script,
        longest_body_bytes=longest_body_bytes,
    )
