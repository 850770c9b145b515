"""One vendor's HTTP API as one org uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Self

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from producers.http.answers import Answer, Received, failure, read_json
from producers.http.authorization import Authorization
from producers.http.breaker import Breaker
from producers.http.budget import Budget
from producers.http.clock import Clock
from producers.http.failures import Open, Throttled, UnreadableAnswer
from producers.http.skew import Skew
from stream.errors import Refused, Unavailable, VendorError

Params = Mapping[str, str | int]
JsonBody = Mapping[str, object] | Sequence[object]

ATTEMPTS = 5
BACKOFF_SECONDS = 0.5
BACKOFF_MAX_SECONDS = 20.0
CREDENTIALS_TRIED = 5
"""Per call: others may renew them again and again while it waits for its turn."""
RETRY_AFTER_MAX_SECONDS = 60.0
"""A vendor that asks for more is not waited for: the caller gets `Unavailable` with that time."""
WHOLE_ANSWER_TIMEOUTS = 4
"""A body that keeps coming is given up after so many times `timeout_seconds`, which only bounds each wait for more."""
LONGEST_BODY_BYTES = 256 << 20
KEPT_BYTES = 1 << 20
"""Of a body that was too long."""


class VendorHttp:
    """Calls with retries (exponential backoff, full jitter), a budget, a breaker and renewed credentials.

    `secrets`: texts that must never appear in an error; the values of the headers sent are added by itself.
    `transport`: for tests. Close it, or use it as an async context manager.
    """

    def __init__(
        self,
        *,
        vendor: str,
        base_url: str,
        timeout_seconds: float,
        budget: Budget,
        authorize: Authorization,
        breaker: Breaker | None = None,
        clock: Clock | None = None,
        secrets: Sequence[str] = (),
        transport: httpx.AsyncBaseTransport | None = None,
        longest_body_bytes: int = LONGEST_BODY_BYTES,
    ) -> None:
        self.vendor = vendor
        self._whole_answer_seconds = WHOLE_ANSWER_TIMEOUTS * timeout_seconds
        self._longest_body_bytes = longest_body_bytes
        self.budget = budget
        self.breaker = breaker or Breaker(clock=clock)
        self._authorize = authorize
        self._clock = clock or Clock()
        self._secrets = tuple(secrets)
        self._skew = Skew()
        self._timed: Callable[[float], None] = _nobody
        self._client = httpx.AsyncClient(
            base_url=base_url,
            timeout=timeout_seconds,
            limits=httpx.Limits(max_connections=budget.at_once, max_keepalive_connections=budget.at_once),
            headers={"Accept": "application/json", "User-Agent": "loyalty-stream"},
            transport=transport,
        )

    def timed(self, observe: Callable[[float], None]) -> None:
        """Tell `observe`, from now on, how many seconds each request took, whatever came of it."""
        self._timed = observe

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: JsonBody | None = None,
        headers: Mapping[str, str] | None = None,
        authorized: bool = True,
        label: str | None = None,
    ) -> Answer:
        """The vendor's answer to one request, retried while that can help.

        `label` stands for the path in errors, where the path holds personal data. `authorized=False` sends only
        `headers`: for logging in. Raises `Unavailable` (`Open` while the breaker is), `Refused` (`NotFound`),
        `UnreadableAnswer`.
        """
        request = _Request(method, path.lstrip("/"), params, json, dict(headers or {}), f"{method} {label or path}")
        if not authorized:
            return await self._retrying(request, authorized=False)
        return await self._authorized(request)

    async def _authorized(self, request: _Request) -> Answer:
        """With credentials; a 401 is a refusal only of those that were renewed for this very request.

        A request may wait long enough for its turn that others have renewed meanwhile what it was sent with.
        """
        renewed: Mapping[str, str] | None = None
        for _ in range(CREDENTIALS_TRIED):
            try:
                return await self._retrying(request)
            except _Unauthorized as error:
                refusal = error
            present = await self._authorize.headers(self)
            if not present.items() <= refusal.sent.items():
                continue  # they are older than the present ones
            if present == renewed:
                break
            if not await self._authorize.renew(self, refusal.sent):
                raise Refused(str(refusal)) from refusal
            renewed = await self._authorize.headers(self)
        raise Refused(f"{refusal} (also with renewed credentials)") from refusal

    @property
    def vendor_seconds(self) -> float:
        """Now, by the vendor's clock as far as it is known: UTC seconds since the epoch."""
        return self._clock.wall() + self._skew.seconds

    @property
    def vendor_offset_seconds(self) -> float:
        """What is added to our clock to get the vendor's, as far as it is known."""
        return self._skew.seconds

    @property
    def own_seconds(self) -> float:
        """Now, by our own clock: UTC seconds since the epoch."""
        return self._clock.wall()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _retrying(self, request: _Request, *, authorized: bool = True) -> Answer:
        retrying = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait_seconds,
            retry=retry_if_exception(_can_help),
            sleep=self._clock.sleep,
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                return await self._attempt(request, authorized)
        raise AssertionError("tenacity returns or raises")

    async def until_admitted(self) -> None:
        """Wait while the breaker turns calls away: what is asked for once a day need not fail for half a minute."""
        while remaining := self.breaker.remaining_seconds:  # a sleep may end a moment early
            await self._clock.sleep(remaining)

    async def _attempt(self, request: _Request, authorized: bool) -> Answer:
        self.breaker.check(self.vendor)
        headers = request.headers | (dict(await self._authorize.headers(self)) if authorized else {})
        async with self.budget.slot():
            await self.breaker.admit(self.vendor)
            try:
                answer = await self._send(request, headers, authorized)
            except VendorError as error:
                self._note(error)
                raise
            except BaseException:
                self.breaker.abandoned()
                raise
            self.breaker.succeeded()
            return answer

    async def _send(self, request: _Request, headers: Mapping[str, str], authorized: bool) -> Answer:
        self.budget.calls += 1
        started, began = self._clock.wall(), self._clock.monotonic()
        try:
            async with asyncio.timeout(self._whole_answer_seconds):
                response = await self._exchanged(request, headers)
        except (httpx.RequestError, TimeoutError) as error:
            raise self._not_answered(request, error) from error
        finally:
            self._timed(self._clock.monotonic() - began)
        self._skew.observe(response.headers.get("Date", ""), started, self._clock.wall())
        if refusal := failure(self.vendor, request.what, response, self._hidden(headers)):
            self._count(refusal)
            if authorized and response.status_code == 401:
                raise _Unauthorized(str(refusal), headers)
            raise refusal
        started_at = self._skew.corrected(started)
        return Answer(response.status_code, response.content, started_at, self._read(request, response, authorized))

    async def _exchanged(self, request: _Request, headers: Mapping[str, str]) -> Received:
        """Send it and read the whole answer, as far as it has bounds."""
        body = bytearray()
        async with self._client.stream(
            request.method, request.path, params=request.params, json=request.json, headers=dict(headers)
        ) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._longest_body_bytes:
                    self.budget.errors["unreadable"] += 1
                    message = (
                        f"{self.vendor} answered {request.what} with a body beyond {self._longest_body_bytes} bytes"
                    )
                    raise UnreadableAnswer(message, body=bytes(body[:KEPT_BYTES]))
        return Received(response.status_code, response.headers, bytes(body))

    def _read(self, request: _Request, response: Received, authorized: bool) -> object:
        if response.status_code == 204:
            return None
        try:
            return read_json(response.content)
        except ValueError as error:
            self.budget.errors["unreadable"] += 1
            size = len(response.content)
            message = f"{self.vendor} answered {request.what} with {size} bytes that are not JSON: {error}"
            # The answer to a log-in may be the very secret: it must not get into a dead letter.
            raise UnreadableAnswer(message, body=response.content if authorized else b"") from error

    def _not_answered(self, request: _Request, error: httpx.RequestError | TimeoutError) -> VendorError:
        if isinstance(error, TimeoutError):
            self.budget.errors["timeout"] += 1
            return Unavailable(
                f"{self.vendor} did not answer {request.what} to the end within {self._whole_answer_seconds:g} s"
            )
        if isinstance(error, httpx.DecodingError):
            self.budget.errors["unreadable"] += 1
            return UnreadableAnswer(f"{self.vendor} answered {request.what} with a broken encoding", body=b"")
        timeout = isinstance(error, httpx.TimeoutException)
        self.budget.errors["timeout" if timeout else "connection"] += 1
        return Unavailable(f"{self.vendor} did not answer {request.what}: {type(error).__name__}")

    def _count(self, error: VendorError) -> None:
        kind = "throttled" if isinstance(error, Throttled) else "server" if error.retryable else "refused"
        self.budget.errors[kind] += 1
        if isinstance(error, Unavailable) and error.retry_after and error.retry_after <= RETRY_AFTER_MAX_SECONDS:
            self.budget.pause(error.retry_after)

    def _note(self, error: VendorError) -> None:
        """A vendor that refuses or throttles is up; one that is silent or talks garbage is not."""
        if isinstance(error, Refused | Throttled | _Unauthorized):
            self.breaker.succeeded()
        else:
            self.breaker.failed(str(error))

    def _hidden(self, headers: Mapping[str, str]) -> list[str]:
        return [*self._secrets, *(part for value in headers.values() for part in value.split() if len(part) > 6)]


def _nobody(seconds: float) -> None:
    """Nobody wants to know."""


class _Request(NamedTuple):
    method: str
    path: str
    params: Params | None
    json: JsonBody | None
    headers: dict[str, str]
    what: str


class _Unauthorized(VendorError):
    """401 to an authorized request: becomes `Refused` unless renewed credentials help."""

    def __init__(self, message: str, sent: Mapping[str, str]) -> None:
        super().__init__(message)
        self.sent = sent


_BACKOFF = wait_random_exponential(multiplier=BACKOFF_SECONDS, max=BACKOFF_MAX_SECONDS)


def _can_help(error: BaseException) -> bool:
    """Whether asking again can help: not while the breaker is open, nor before a far Retry-After."""
    if isinstance(error, Unavailable) and not isinstance(error, Open):
        return (error.retry_after or 0) <= RETRY_AFTER_MAX_SECONDS
    return isinstance(error, UnreadableAnswer)


def _wait_seconds(state: RetryCallState) -> float:
    """What the vendor asked for, plus the backoff's jitter, so that waiters do not return all at once."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, Unavailable) else None
    return (asked or 0) + _BACKOFF(state)
