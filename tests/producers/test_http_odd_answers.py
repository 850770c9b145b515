"""Answers that are nearly what was asked for: one odd value costs itself, never its page; nothing lasts for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import httpx
import pytest

from producers.http import UnreadableAnswer
from producers.http.answers import read_json
from producers.http.client import ATTEMPTS
from producers.http.skew import Skew
from stream.errors import Unavailable
from tests.producers.hand_clock import HandClock
from tests.producers.scripted import Script, Step, answer, vendor_http


@pytest.mark.parametrize(
    ("body", "document", "because"),
    [
        (b'[{"a": "Jos\xe9"}, 1.5]', [{"a": "Jos\ufffd"}, Decimal("1.5")], "one letter in another encoding"),
        (b'[{"a": "b\tc\nd"}, 1]', [{"a": "b\tc\nd"}, 1], "a line's end that was not escaped"),
        (b'[{"a": "\\ud800"}, 1]', [{"a": "?"}, 1], "half a character, which no UTF-8 can hold"),
        (b'[{"\\udc00": 1}]', [{"?": 1}], "the same in a name"),
        (b"[" + b"9" * 5000 + b", 1]", [Decimal("9" * 5000), 1], "a number that no int is made of"),
    ],
)
def test_one_odd_value_does_not_cost_its_page(body: bytes, document: object, because: str) -> None:
    assert read_json(body) == document, because


@pytest.mark.parametrize(
    "date",
    ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 01 Jan 2024 00:00:00 +99999999999999999999999"],
)
async def test_a_date_beyond_all_bounds_corrects_nothing(date: str) -> None:
    async with vendor_http(Script(answer(headers={"Date": date})), HandClock(1_000.0)) as http:
        assert (await http.call("GET", "/")).started_at == 1_000_000


def test_a_date_of_unknown_zone_is_in_utc() -> None:
    skew = Skew()
    skew.observe("Thu, 01 Jan 1970 00:01:00 -0000", 0.0, 0.0)
    assert skew.seconds == 60


async def test_the_answer_to_a_log_in_is_kept_nowhere() -> None:
    async with vendor_http(Script(answer(body="eyJ.token.itself")), HandClock()) as http:
        with pytest.raises(UnreadableAnswer) as raised:
            await http.call("POST", "/auth", authorized=False)
    assert raised.value.body == b""
    assert "eyJ" not in str(raised.value)


class Dripping(httpx.AsyncByteStream):
    """A body that goes on for ever: `chunk` each time, after `pause`."""

    def __init__(self, chunk: bytes, pause_seconds: float) -> None:
        self._chunk = chunk
        self._pause_seconds = pause_seconds
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(self._pause_seconds)
            self.sent += len(self._chunk)
            yield self._chunk


def drip(stream: Dripping) -> Step:
    return lambda request: httpx.Response(200, stream=stream)


async def test_a_body_that_never_ends_is_given_up() -> None:
    async with vendor_http(Script(drip(Dripping(b" ", 0.01))), HandClock(), timeout_seconds=0.02) as http:
        with pytest.raises(Unavailable, match="did not answer GET / to the end"):
            await http.call("GET", "/")
        assert http.budget.errors == {"timeout": 5}


async def test_a_body_without_bounds_is_not_read_into_memory() -> None:
    stream = Dripping(b" " * 1000, 0)
    async with vendor_http(Script(drip(stream)), HandClock(), longest_body_bytes=3500) as http:
        with pytest.raises(UnreadableAnswer, match="beyond 3500 bytes"):
            await http.call("GET", "/")
    assert stream.sent == ATTEMPTS * 4000
