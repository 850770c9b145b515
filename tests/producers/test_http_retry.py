"""Which answers are asked for again, how often, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import httpx
import pytest

from producers.http import NotFound, Throttled, UnreadableAnswer, VendorHttp
from producers.http.client import ATTEMPTS
from stream.errors import Refused, Unavailable, VendorError
from tests.producers.hand_clock import HandClock
from tests.producers.scripted import Script, Step, answer, vendor_http

OK = answer(200, '{"total": 19.99, "cents": 5}')


async def test_numbers_of_an_answer_are_never_binary_floats() -> None:
    async with vendor_http(Script(OK), HandClock()) as http:
        document = (await http.call("GET", "/thing")).document
    assert document == {"total": Decimal("19.99"), "cents": 5}


@pytest.mark.parametrize(
    ("steps", "requests", "errors"),
    [
        ([httpx.ConnectError("no route"), OK], 2, {"connection": 1}),
        ([httpx.ReadError("reset"), OK], 2, {"connection": 1}),
        ([httpx.ReadTimeout("slow"), httpx.ConnectTimeout("slow"), OK], 3, {"timeout": 2}),
        ([answer(500), answer(503), OK], 3, {"server": 2}),
        ([answer(429), OK], 2, {"throttled": 1}),
        ([answer(408), OK], 2, {"server": 1}),
        ([answer(200, '[{"id": 1}, {"i'), OK], 2, {"unreadable": 1}),
        ([answer(200, "<html>maintenance</html>"), OK], 2, {"unreadable": 1}),
        ([answer(200, ""), OK], 2, {"unreadable": 1}),
    ],
)
async def test_a_passing_failure_is_asked_again(steps: list[Step], requests: int, errors: dict[str, int]) -> None:
    script, time = Script(*steps), HandClock()
    async with vendor_http(script, time) as http:
        got = await http.call("GET", "/thing")
        assert got.status == 200
        assert (len(script.requests), http.budget.calls, dict(http.budget.errors)) == (requests, requests, errors)
    assert len(time.slept) == requests - 1


@pytest.mark.parametrize(
    ("step", "error", "requests"),
    [
        (httpx.ConnectError("no route"), Unavailable, ATTEMPTS),
        (answer(502), Unavailable, ATTEMPTS),
        (answer(429), Throttled, ATTEMPTS),
        (answer(200, '{"cut": '), UnreadableAnswer, ATTEMPTS),
        (answer(400, '{"message": "no page"}'), Refused, 1),
        (answer(403), Refused, 1),
        (answer(404), NotFound, 1),
        (answer(302, "", {"Location": "https://elsewhere.test"}), Refused, 1),
    ],
)
async def test_a_lasting_failure_is_an_error_of_its_kind(step: Step, error: type[VendorError], requests: int) -> None:
    script = Script(step)
    async with vendor_http(script, HandClock()) as http:
        with pytest.raises(error):
            await http.call("GET", "/thing")
    assert len(script.requests) == requests


async def test_an_unreadable_answer_carries_its_bytes() -> None:
    async with vendor_http(Script(answer(200, b'[{"id_order": 7,')), HandClock()) as http:
        with pytest.raises(UnreadableAnswer) as caught:
            await http.call("GET", "/order")
    assert caught.value.body == b'[{"id_order": 7,'


async def test_backoff_grows_and_is_jittered_from_zero() -> None:
    time = HandClock()
    async with vendor_http(Script(answer(500)), time) as http:
        with pytest.raises(Unavailable):
            await http.call("GET", "/thing")
    assert all(0 <= slept <= most for slept, most in zip(time.slept, [0.5, 1, 2, 4], strict=True))


DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
IN_7_SECONDS = "Tue, 14 Nov 2023 22:13:27 GMT"


@pytest.mark.parametrize(
    ("headers", "at_least"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": IN_7_SECONDS, "Date": DATE}, 7),
        ({"Retry-After": DATE, "Date": DATE}, 0),
        ({"Retry-After": "soon"}, 0),
    ],
)
async def test_retry_after_is_honoured_in_both_forms(headers: Mapping[str, str], at_least: float) -> None:
    time = HandClock()
    async with vendor_http(Script(answer(429, headers=headers), OK), time) as http:
        await http.call("GET", "/thing")
    assert at_least <= time.slept[0] <= at_least + 0.5


async def test_a_far_retry_after_is_the_callers_business() -> None:
    script, time = Script(answer(503, headers={"Retry-After": "3600"})), HandClock()
    async with vendor_http(script, time) as http:
        with pytest.raises(Unavailable) as caught:
            await http.call("GET", "/thing")
    assert (caught.value.retry_after, len(script.requests), time.slept) == (3600, 1, [])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"message": "pageSize is required"}', "pageSize is required"),
        ('{"error": "Order not found"}', "Order not found"),
        ('{"success": false, "errors": [{"message": "Please provide a valid API key"}]}', "a valid API key"),
        ("plain words", "plain words"),
    ],
)
async def test_an_error_quotes_the_vendor(body: str, said: str) -> None:
    async with vendor_http(Script(answer(400, body)), HandClock()) as http:
        with pytest.raises(Refused, match=said):
            await http.call("GET", "/thing")


async def test_an_error_never_holds_a_secret_nor_a_labelled_path() -> None:
    echo = answer(400, '{"message": "bad key key-123456789 and password hunter2-x for +15551234567"}')
    async with vendor_http(Script(echo), HandClock(), secrets=("hunter2-x", "+15551234567")) as http:
        error = await _error(http, "/lookup/+15551234567", label="/lookup/…")
    assert "/lookup/…" in error
    assert not any(secret in error for secret in ("key-123456789", "hunter2-x", "5551234567"))


async def _error(http: VendorHttp, path: str, label: str) -> str:
    with pytest.raises(Refused) as caught:
        await http.call("GET", path, label=label)
    return str(caught.value)


async def test_every_request_is_timed_whatever_comes_of_it() -> None:
    time, seen = HandClock(), list[float]()

    def slow(request: httpx.Request) -> httpx.Response:
        time.now += 2
        return answer(500)

    async with vendor_http(Script(slow, httpx.ReadTimeout("slow"), OK), time) as http:
        http.timed(seen.append)
        await http.call("GET", "/thing")
    assert seen == [2, 0, 0]
