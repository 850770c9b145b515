"""What happens on 401."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from producers.http import VendorHttp
from stream.errors import Refused
from tests.producers.hand_clock import HandClock
from tests.producers.scripted import Script, answer, vendor_http


class Numbered:
    """Tokens 1, 2, 3 …; renewed only when the refused one is the present one."""

    def __init__(self) -> None:
        self.number = 1

    async def headers(self, http: VendorHttp) -> Mapping[str, str]:
        return {"Authorization": f"Bearer token-{self.number}"}

    async def renew(self, http: VendorHttp, refused: Mapping[str, str]) -> bool:
        if refused == await self.headers(http):
            self.number += 1
        return True


def accepts(token: str) -> Script:
    def play(request: httpx.Request) -> httpx.Response:
        return answer(200 if request.headers["Authorization"] == f"Bearer {token}" else 401)

    return Script(play)


async def test_a_refused_token_is_renewed_once_and_the_call_repeated() -> None:
    script, who = accepts("token-2"), Numbered()
    async with vendor_http(script, HandClock(), authorize=who) as http:
        assert (await http.call("GET", "/thing")).status == 200
    assert (len(script.requests), who.number) == (2, 2)


async def test_a_token_that_stays_refused_is_refused_and_not_repeated_further() -> None:
    script = accepts("token-99")
    async with vendor_http(script, HandClock(), authorize=Numbered()) as http:
        with pytest.raises(Refused, match="renewed credentials"):
            await http.call("GET", "/thing")
    assert len(script.requests) == 2


async def test_calls_refused_at_once_renew_one_token() -> None:
    script, who = accepts("token-2"), Numbered()
    async with vendor_http(script, HandClock(), authorize=who) as http:
        await asyncio.gather(*(http.call("GET", f"/{n}") for n in range(8)))
    assert who.number == 2


async def test_a_fixed_key_that_is_refused_is_not_tried_again() -> None:
    script = Script(answer(401, '{"message": "Please provide a valid API key"}'))
    async with vendor_http(script, HandClock()) as http:
        with pytest.raises(Refused, match="valid API key"):
            await http.call("GET", "/thing")
    assert len(script.requests) == 1
