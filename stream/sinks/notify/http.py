"""Asking an HTTP address once, and what its answer means to a channel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx
import msgspec

from stream.sinks.notify.channel import Busy, ChannelRefused, MessageRefused, Receipt

PAUSING = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.GONE})
TRANSIENT = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
"""404 among them: an address may be gone for the minutes of a deployment, and is then tried long enough."""
SAID_CHARACTERS = 200
ANSWER_BYTES = 64 << 10


class _Said(msgspec.Struct):
    """What Discord and others put into an answer. `retry_after`: seconds."""

    message: str = ""
    retry_after: float | None = None


class Address:
    """An address to which messages go. `what`: how it is called in errors; `clean` takes secrets out of what it says.

    An attempt takes `timeout_seconds` at most, however slowly the answer drips. Redirects are not followed.
    """

    def __init__(
        self,
        what: str,
        url: str,
        timeout_seconds: float,
        clean: Callable[[str], str],
        *,
        pausing: frozenset[int] = PAUSING,
    ) -> None:
        self._what = what
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._clean = clean
        self._pausing = pausing
        self._opened: httpx.AsyncClient | None = None

    async def ask(self, method: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Receipt:
        """One attempt. Raises Busy, ChannelRefused, MessageRefused."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                status, answer_headers, answer = await self._exchange(method, body, headers or {})
        except (httpx.TimeoutException, TimeoutError) as error:
            raise Busy(f"{self._what} did not answer within {self._timeout_seconds:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # their texts may hold the address
            raise Busy(f"{self._what} cannot be reached: {type(error).__name__}") from None
        return self._meaning(status, answer_headers, answer)

    async def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            await self._opened.aclose()

    @property
    def _client(self) -> httpx.AsyncClient:
        """Made when it is first needed: loading the authorities' certificates takes its time."""
        if self._opened is None:
            self._opened = httpx.AsyncClient(timeout=self._timeout_seconds, headers={"User-Agent": "loyalty-stream"})
        return self._opened

    async def _exchange(
        self, method: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, httpx.Headers, bytes]:
        async with self._client.stream(method, self._url, content=body, headers=dict(headers)) as response:
            answer = b""
            async for part in response.aiter_bytes():
                answer += part
                if len(answer) > ANSWER_BYTES:
                    break
            return response.status_code, response.headers, answer

    def _meaning(self, status: int, headers: Mapping[str, str], answer: bytes) -> Receipt:
        if 200 <= status < 300:
            return Receipt(status)
        said = _said(answer)
        words = self._clean(" ".join(said.message.split())[:SAID_CHARACTERS])
        message = f"{self._what} answered {status}" + (f": {words}" if words else "")
        if status in self._pausing or 300 <= status < 400:
            raise ChannelRefused(f"{message}. Correct the channel's address or credentials.", status=status)
        if status in TRANSIENT or status >= 500:
            asked = [each for each in (retry_after_seconds(headers), said.retry_after) if each is not None]
            raise Busy(message, retry_after=max(asked, default=None), status=status)
        raise MessageRefused(message, status=status)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds, from either of its forms (RFC 9110, 10.2.3); None when it says nothing.

    A date is measured against the answer's own `Date`: our clock may differ.
    """
    header = headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(header))  # Discord's has a fraction
    except ValueError:
        at, now = _http_date(header), _http_date(headers.get("Date", ""))
        return None if at is None else max(0.0, at - (time.time() if now is None else now))


def _http_date(header: str) -> float | None:
    try:
        return parsedate_to_datetime(header).timestamp()
    except ValueError:
        return None


def _said(answer: bytes) -> _Said:
    try:
        return msgspec.json.decode(answer, type=_Said)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Said()
