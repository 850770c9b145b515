"""Alpine IQ's HTTP API: calls in, typed answers out.

Base `https://lab.alpineiq.com/api`; the key goes in the header `X-APIKEY`, the account `uid` in the path.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeVar
from urllib.parse import quote

import msgspec
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from producers.alpine_iq import wire
from producers.http import Answer, Breaker, Budget, Clock, FixedHeaders, NotFound, Rate, VendorHttp
from producers.http.client import JsonBody, Params
from producers.redaction import redacted
from stream.contracts.names import Millis
from stream.errors import Refused, Unavailable, Unreadable, VendorError
from stream.settings import AlpineIQSettings

VENDOR = "Alpine IQ"
ATTEMPTS = 3
"""For a failure that arrives as a success of HTTP; HTTP's own failures are retried by `VendorHttp`."""

_NOT_FOUND = re.compile(r"not found|no (such )?(contact|member|match|wallet)|does not exist|unknown contact", re.I)
_REFUSED = re.compile(r"api key|unauthori[sz]ed|forbidden|permission|not accessible|access denied", re.I)
_encode = msgspec.json.Encoder(decimal_format="number").encode
T = TypeVar("T")


class MembersPage(NamedTuple):
    """Members from position `start` on. `total`: of all pages, when the vendor says; `observed_at`: UTC ms."""

    rows: list[bytes]
    total: int | None
    observed_at: Millis


class Found(NamedTuple):
    """Somebody's wallet, at `observed_at` (UTC ms). `raw`: as it was sent."""

    wallet: wire.Wallet
    observed_at: Millis
    raw: bytes


class AlpineIQClient:
    """The account `uid` through `http`. Every method raises `Unavailable`, `Refused` or `Unreadable`."""

    def __init__(self, http: VendorHttp, uid: str, *, clock: Clock | None = None) -> None:
        self.http = http
        self._uid = quote(uid, safe="")
        self._clock = clock or Clock()

    async def members(self, start: int, limit: int, search: str | None = None) -> MembersPage:
        """A page of members: `limit` 100 to 2,000 rows from position `start`.

        `search`: phone, e-mail, name or contact id.
        """
        params: dict[str, str | int] = {"start": start, "limit": limit}
        if search is not None:
            params["search"] = search
        envelope, answer = await self._call("GET", f"v1.1/piis/{self._uid}", "the list of members", params=params)
        page = _data(envelope, wire.Page, "the list of members") or wire.Page()
        total = page.total if isinstance(page.total, int) else None
        return MembersPage([bytes(row) for row in page.results or ()], total, answer.started_at)

    async def wallet(self, *, phone: str | None = None, email: str | None = None) -> Found | None:
        """The wallet of whoever has this phone or e-mail; None when the provider knows nobody."""
        body = {name: value for name, value in (("phone", phone), ("email", email)) if value}
        try:
            envelope, answer = await self._call("POST", "v2/wallet", "a wallet", json=body)
        except NotFound:
            return None
        return None if envelope.empty else Found(wire.wallet(envelope), answer.started_at, answer.body)

    async def lookup(self, who: str) -> wire.LightLookUp | None:
        """The light check of a phone or e-mail; None when the provider knows nobody."""
        try:
            envelope, _ = await self._call("GET", f"v2/loyalty/lookup/{quote(who, safe='')}", "a member check")
        except NotFound:
            return None
        return None if envelope.empty else wire.light_look_up(envelope)

    async def timeline(self, contact: str, start_seconds: int, end_seconds: int) -> list[bytes]:
        """A contact's own point history between two times in epoch seconds, as rows."""
        path = f"v1.1/contact/loyaltyPoints/timeline/{self._uid}/{quote(contact, safe='')}"
        params = {"start": start_seconds, "end": end_seconds}
        try:
            envelope, _ = await self._call("GET", path, "a timeline", params=params)
        except NotFound:
            return []
        timeline = _data(envelope, wire.Timeline, "a timeline")
        return [bytes(row) for row in (timeline.events if timeline else None) or ()]

    async def adjustments(self, start_seconds: int, end_seconds: int) -> list[bytes]:
        """All contacts' adjustments between two times in epoch seconds, as rows."""
        return await self._movements("adjustments", start_seconds, end_seconds)

    async def redemptions(self, start_seconds: int, end_seconds: int) -> list[bytes]:
        """All contacts' redemptions between two times in epoch seconds, as rows."""
        return await self._movements("redemptions", start_seconds, end_seconds)

    async def _movements(self, kind: str, start_seconds: int, end_seconds: int) -> list[bytes]:
        path = f"v1.1/{kind}/{self._uid}/{start_seconds}/{end_seconds}"
        envelope, _ = await self._call("GET", path, f"the list of {kind}")
        return [bytes(row) for row in _data(envelope, list[msgspec.Raw], kind) or ()]

    async def _call(
        self, method: str, path: str, label: str, *, params: Params | None = None, json: JsonBody | None = None
    ) -> tuple[wire.Envelope, Answer]:
        """`label` stands for the path in errors: the path may hold a phone or an e-mail address."""
        retrying = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.5, max=10),
            retry=retry_if_exception_type(FailedInSuccess),
            sleep=self._clock.sleep,
            reraise=True,
        )

        async def attempt() -> tuple[wire.Envelope, Answer]:
            answer = await self.http.call(method, path, params=params, json=json, label=label)
            envelope = _envelope(answer, label)
            if envelope.failed:
                raise _failure(envelope, label)
            return envelope, answer

        return await retrying(attempt)


class FailedInSuccess(Unavailable):
    """`success: false` under HTTP 200, without a hint that repeating is in vain."""


def alpine_iq_client(
    settings: AlpineIQSettings, *, clock: Clock | None = None, breaker: Breaker | None = None
) -> AlpineIQClient:
    """A client with the org's budget. Close `client.http` in the end."""
    rates = [Rate(settings.per_second, 1), Rate(settings.per_minute, 60), Rate(settings.per_hour, 3600)]
    http = VendorHttp(
        vendor=VENDOR,
        base_url=str(settings.base_url),
        timeout_seconds=settings.timeout_seconds,
        budget=Budget(rates, at_once=settings.requests_at_once, clock=clock),
        authorize=FixedHeaders({"X-APIKEY": settings.api_key.get_secret_value()}),
        breaker=breaker,
        clock=clock,
        secrets=(settings.api_key.get_secret_value(),),
    )
    return AlpineIQClient(http, settings.uid, clock=clock)


def _envelope(answer: Answer, label: str) -> wire.Envelope:
    """Of an answer that is only nearly JSON (a literal NaN in a row), what was understood of it, written anew."""
    try:
        return msgspec.json.decode(answer.body, type=wire.Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decoded(_encode(answer.document), wire.Envelope, label)


def _decoded(raw: bytes, shape: type[T], label: str) -> T:
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"{VENDOR} answered {label} in an unknown form: {error}") from error


def _data(envelope: wire.Envelope, shape: type[T], label: str) -> T | None:
    return None if envelope.empty else _decoded(bytes(envelope.data), shape, label)


def _failure(envelope: wire.Envelope, label: str) -> VendorError:
    said = _said(envelope)
    message = f"{VENDOR} says that {label} failed: {said or 'no reason given'}"
    code = str(envelope.code)
    if code in ("401", "403") or _REFUSED.search(said):
        return Refused(f"{message}. Check the uid and api_key configured for {VENDOR}.")
    if code == "404" or _NOT_FOUND.search(said):
        return NotFound(message)
    return FailedInSuccess(message)


def _said(envelope: wire.Envelope) -> str:
    """`errors[0].message`, or what else there is, without phones and addresses."""
    said: object = envelope.errors or envelope.message
    if isinstance(said, list):
        said = said[0] if said else ""
    if isinstance(said, dict):
        said = said.get("message") or said.get("error")
    return redacted(str(said or "")[:200])
