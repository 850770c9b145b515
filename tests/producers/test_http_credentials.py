"""What happens on 401."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import httpx
import pytest
from pydantic import SecretStr

from producers.alleaves.token import TokenAuthorization
from producers.http import VendorHttp
from producers.http.client import CREDENTIALS_TRIED
from stream.errors import Refused
from stream.settings import AlleavesSettings
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


async def test_what_others_have_renewed_meanwhile_is_no_refusal() -> None:
    """A call renews token 1; while it waits for its turn with token 2, that one is revoked and renewed by another."""
    who = Numbered()

    def play(request: httpx.Request) -> httpx.Response:
        if request.headers["Authorization"] == "Bearer token-2":
            who.number = 3
        return answer(200 if request.headers["Authorization"] == "Bearer token-3" else 401)

    script = Script(play)
    async with vendor_http(script, HandClock(), authorize=who) as http:
        assert (await http.call("GET", "/thing")).status == 200
    assert [request.headers["Authorization"][-1] for request in script.requests] == ["1", "2", "3"]


async def test_others_that_renew_for_ever_do_not_keep_a_call_for_ever() -> None:
    who = Numbered()

    def play(request: httpx.Request) -> httpx.Response:
        who.number += 1
        return answer(401)

    script = Script(play)
    async with vendor_http(script, HandClock(), authorize=who) as http:
        with pytest.raises(Refused, match="renewed credentials"):
            await http.call("GET", "/thing")
    assert len(script.requests) == CREDENTIALS_TRIED


class Revoking(Script):
    """Gives out numbered tokens and refuses those up to `revoked`. Token 2 has to wait at `/slow`: see `held`."""

    def __init__(self) -> None:
        super().__init__(answer())
        self.issued = self.revoked = 0
        self.held, self.let_go = asyncio.Event(), asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/auth"):
            self.issued += 1
            return answer(200, json.dumps({"token": f"t-{self.issued}"}))
        token = int(request.headers["Authorization"].rpartition("-")[2])
        if request.url.path.endswith("/slow") and token == 2:
            self.held.set()
            await self.let_go.wait()
        return answer(200 if token > self.revoked else 401)


async def test_a_token_that_another_call_has_replaced_is_not_renewed_again_and_refuses_nobody() -> None:
    vendor = Revoking()
    who = TokenAuthorization(AlleavesSettings(username="u", password=SecretStr("pass-word")))
    async with vendor_http(vendor, HandClock(), authorize=who) as http:
        await http.call("GET", "/thing")
        vendor.revoked = 1
        slow = asyncio.create_task(http.call("GET", "/slow"))
        await vendor.held.wait()
        vendor.revoked = 2
        await http.call("GET", "/thing")
        vendor.let_go.set()
        assert (await slow).status == 200
    assert vendor.issued == 3


async def test_a_fixed_key_that_is_refused_is_not_tried_again() -> None:
    script = Script(answer(401, '{"message": "Please provide a valid API key"}'))
    async with vendor_http(script, HandClock()) as http:
        with pytest.raises(Refused, match="valid API key"):
            await http.call("GET", "/thing")
    assert len(script.requests) == 1
