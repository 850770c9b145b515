from __future__ import annotations

import httpx
import pytest

from producers.alpine_iq.client import AlpineIQClient
from stream.errors import Refused, Unavailable, Unreadable, VendorError
from tests.producers.alpine_iq.at_the_sandbox import producer
from tests.producers.hand_clock import HandClock
from tests.producers.scripted import Script, answer, vendor_http

EMPTY = '{"success": true, "data": {"results": null, "start": 0, "total": 0}}'


def client(script: Script, time: HandClock | None = None) -> AlpineIQClient:
    time = time or HandClock()
    return AlpineIQClient(vendor_http(script, time), "90/01", clock=time.clock)


def failed(message: str, code: int | None = None) -> httpx.Response:
    number = "" if code is None else f'"code": {code}, '
    return answer(body=f'{{"success": false, {number}"errors": [{{"message": "{message}"}}]}}')


async def test_the_account_is_a_path_segment_and_paging_is_in_the_query() -> None:
    script = Script(answer(body=EMPTY))
    page = await client(script).members(4000, 2000, search="40012")

    assert page.rows == []
    assert page.total == 0
    (request,) = script.requests
    assert request.url.raw_path == b"/api/v1.1/piis/90%2F01?start=4000&limit=2000&search=40012"
    assert request.headers["X-APIKEY"] == "key-123456789"


@pytest.mark.parametrize(
    ("body", "rows", "total"),
    [
        ('{"success": true, "data": {"results": [{"a": 1}, null, 3], "total": 3}}', [b'{"a": 1}', b"null", b"3"], 3),
        ('{"success": true, "data": null}', [], None),
        ('{"data": {"results": [], "total": "many"}}', [], None),
    ],
)
async def test_rows_stay_as_they_were_sent(body: str, rows: list[bytes], total: int | None) -> None:
    page = await client(Script(answer(body=body))).members(0, 100)
    assert (page.rows, page.total) == (rows, total)


@pytest.mark.parametrize(
    ("response", "error", "message"),
    [
        (failed("Please provide a valid API key"), Refused, "Check the uid and api_key"),
        (failed("whatever", 403), Refused, "Check the uid and api_key"),
        (failed("Internal error"), Unavailable, "Internal error"),
        (answer(body='{"success": false}'), Unavailable, "no reason given"),
        (answer(403, '{"success": false, "errors": [{"message": "Please provide a valid API key"}]}'), Refused, "403"),
        (answer(body='{"success": true, "data": {"results": 5}}'), Unreadable, "unknown form"),
        (answer(body="[]"), Unreadable, "unknown form"),
    ],
)
async def test_a_failure_is_one_whether_by_status_or_by_envelope(
    response: httpx.Response, error: type[VendorError], message: str
) -> None:
    with pytest.raises(error, match=message):
        await client(Script(response)).members(0, 100)


async def test_a_failure_under_http_200_is_tried_again() -> None:
    time = HandClock()
    script = Script(failed("Internal error"), failed("try later"), answer(body=EMPTY))
    assert (await client(script, time).members(0, 100)).total == 0
    assert len(script.requests) == 3
    assert len(time.slept) == 2


async def test_a_failure_under_http_200_is_not_tried_for_ever() -> None:
    script = Script(failed("Internal error"))
    with pytest.raises(Unavailable):
        await client(script).members(0, 100)
    assert len(script.requests) == 3


async def test_what_the_vendor_says_is_quoted_without_phones_and_addresses() -> None:
    with pytest.raises(VendorError) as caught:
        await client(Script(failed("cannot merge +1 (555) 123-4567 and ana@example.com"))).wallet(phone="+15551234567")
    assert str(caught.value) == "Alpine IQ says that a wallet failed: cannot merge … and …"


@pytest.mark.parametrize(
    "response",
    [
        answer(404, '{"success": false, "errors": [{"message": "contact not found"}]}'),
        failed("contact not found"),
        failed("no luck", 404),
        answer(body='{"success": true, "data": null}'),
    ],
)
async def test_a_wallet_that_nobody_has_is_none(response: httpx.Response) -> None:
    assert await client(Script(response)).wallet(phone="+15551234567") is None
    assert await client(Script(response)).lookup("+15551234567") is None


@pytest.mark.parametrize(
    "body",
    [
        '{"success": true, "data": {"loyaltyPoints": 7, "hidePointsInWallet": false}, "contactID": 40012}',
        '{"success": true, "data": {"loyaltyPoints": 7, "contactID": "40012"}}',
    ],
)
async def test_a_wallet_names_its_contact_beside_or_in_its_data(body: str) -> None:
    found = await client(Script(answer(body=body))).wallet(email="a@b.co")
    assert found is not None
    assert (found.wallet.contact, found.wallet.points, found.wallet.hidden) == ("40012", 7, False)


async def test_every_call_works_against_the_sandbox() -> None:
    async with producer() as alpine:
        world, calls = alpine.sandbox.world, alpine.client
        member = next(each for each in world.members.values() if each.movements)
        member.phone = "5550001234"

        page = await calls.members(0, 2000)
        assert len(page.rows) == page.total == len(world.members)
        found = await calls.wallet(phone=f"+1{member.phone}")
        assert found is not None
        assert found.wallet.contact == member.contact_id
        light = await calls.lookup(member.phone)
        assert light is not None
        assert light.contact == member.contact_id
        assert len(await calls.timeline(member.contact_id, 0, 2**40)) == 1 + len(member.movements)
        moved = await calls.adjustments(0, 2**40) + await calls.redemptions(0, 2**40)
        assert len(moved) == sum(len(each.movements) for each in world.members.values())
        assert await calls.redemptions(0, 1) == []
        assert await calls.timeline("1", 0, 1) == []
        assert await calls.wallet(phone="+15550000000") is None


async def test_a_wrong_key_is_refused_and_never_shown() -> None:
    async with producer(api_key="wrong-key-123456") as alpine:
        with pytest.raises(Refused) as caught:
            await alpine.client.members(0, 100)
    assert "valid API key" in str(caught.value)
    assert "wrong-key-123456" not in str(caught.value)
