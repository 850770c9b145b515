"""Logging in to Alleaves: a token from `POST /auth`, renewed before it expires.

A token is a JWT with `exp`, about 24 hours ahead. No refresh call is known: one logs in again.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from producers.http import Answer, Clock, UnreadableAnswer, VendorHttp
from stream.errors import Refused
from stream.settings import AlleavesSettings

RENEW_BEFORE_SECONDS = 300.0
LIFE_WHEN_UNKNOWN_SECONDS = 12 * 3600.0
REFUSED_FOR_SECONDS = 60.0
"""Refused credentials are not sent again for so long: an account may be locked after a few failures."""


class _Claims(msgspec.Struct):
    exp: float


class _LogIn(msgspec.Struct):
    token: str


@dataclass(frozen=True)
class Token:
    """`renew_at`: UTC seconds by the vendor's clock."""

    text: str
    renew_at: float

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.text}"}


class TokenAuthorization:
    """`Authorization` by username and password (and pin), sent as JSON or as HTTP Basic."""

    def __init__(self, settings: AlleavesSettings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or Clock()
        self._token: Token | None = None
        self._refused: tuple[float, Refused] | None = None
        self._logging_in = asyncio.Lock()

    async def headers(self, http: VendorHttp) -> Mapping[str, str]:
        """The present token, renewed when it has less than five minutes. Raises what `POST /auth` does."""
        async with self._logging_in:
            if self._token is None or http.vendor_seconds >= self._token.renew_at:
                self._token = await self._log_in(http)
            return self._token.headers

    async def renew(self, http: VendorHttp, refused: Mapping[str, str]) -> bool:
        """Forget the refused token, unless another call has replaced it already."""
        if self._token is not None and self._token.headers["Authorization"] == refused.get("Authorization"):
            self._token = None
        return True

    async def _log_in(self, http: VendorHttp) -> Token:
        if self._refused is not None and self._clock.monotonic() < self._refused[0]:
            raise self._refused[1]
        try:
            answer = await self._post(http)
        except Refused as error:
            self._refused = (self._clock.monotonic() + REFUSED_FOR_SECONDS, error)
            raise
        text = _token_text(answer)
        return Token(text, renew_at(text, http.vendor_seconds))

    async def _post(self, http: VendorHttp) -> Answer:
        settings = self._settings
        password = settings.password.get_secret_value()
        if settings.auth == "basic":
            basic = base64.b64encode(f"{settings.username}:{password}".encode()).decode()
            return await http.call("POST", "/auth", headers={"Authorization": f"Basic {basic}"}, authorized=False)
        body = {"username": settings.username, "password": password}
        if settings.pin is not None:
            body["pin"] = settings.pin.get_secret_value()
        return await http.call("POST", "/auth", json=body, authorized=False)


def renew_at(token: str, now: float) -> float:
    """When to log in again: five minutes before `exp`, or after half the life of a token that lives shortly.

    `exp` is read without verifying the signature: it only plans the renewal. A token without it, or one that was just
    given and has expired by our clock, is taken to live for half a day; a 401 renews it anyway. (Logging in again with
    every request would lock the account.)
    """
    life = (_expiry(token) or 0) - now
    if life <= 0:
        life = LIFE_WHEN_UNKNOWN_SECONDS
    return now + max(life - RENEW_BEFORE_SECONDS, life / 2)


def _expiry(token: str) -> float | None:
    try:
        payload = token.split(".")[1]
        padded = payload + "=" * (-len(payload) % 4)
        return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=_Claims).exp
    except (IndexError, binascii.Error, msgspec.DecodeError, ValueError):
        return None


def _token_text(answer: Answer) -> str:
    try:
        return msgspec.convert(answer.document, _LogIn).token
    except msgspec.ValidationError as error:
        # Without the body: it may hold what a token is made of.
        raise UnreadableAnswer(f"Alleaves answered POST /auth without a token: {error}", body=b"") from error
