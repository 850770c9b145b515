"""The System page asks the other roles of the machine, and says which of them do not answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from stream.ops.endpoints import operations
from stream.ops.health import NEEDS, Health, Role
from stream.ops.metrics import Metrics
from stream.web.roles import Behind, VendorState, read_roles
from tests.web.pages.browser import served
from tests.web.pages.desk import Seen, desk_of
from tests.web.pages.shops import ORG, busy_shop

NOBODY = "http://127.0.0.1:9"


def _role(role: Role, metrics: Metrics, *, ready: bool = True) -> Starlette:
    health = Health(role, lambda: 0.0)
    for condition in NEEDS[role]:
        health.say(condition, ready)
    return operations(health, metrics)


@pytest.fixture(scope="module")
def worker() -> Iterator[str]:
    metrics = Metrics()
    for partition, lag in enumerate((0, 40, 7)):
        metrics.lag.labels("accounts", str(partition)).set(lag)
        metrics.oldest_unread.labels("accounts", str(partition)).set(lag / 10)
    metrics.lag.labels("contacts", "0").set(0)
    with served(_role(Role.WORKER, metrics)) as address:
        yield address


@pytest.fixture(scope="module")
def poller() -> Iterator[str]:
    metrics = Metrics()
    for org, budget, available in ((ORG, 1994, 0), ("other_org", 777, 1)):
        metrics.vendor_available.labels(org, "alpine_iq").set(available)
        metrics.vendor_budget_left.labels(org, "alpine_iq", "3600s").set(budget)
        metrics.vendor_calls.labels(org, "alpine_iq", "ok").inc(6)
        metrics.vendor_calls.labels(org, "alpine_iq", "unavailable").inc(2)
    with served(_role(Role.POLL, metrics, ready=False)) as address:
        yield address


async def test_roles_say_how_far_they_are_and_what_vendors_let_through(worker: str, poller: str) -> None:
    addresses = {"worker": worker, "poll": poller, "kafka": "127.0.0.1:9092", "sink-notify": NOBODY}
    poll, work, notify = await read_roles(addresses, ORG)
    assert work.behind == (Behind("accounts", 3, 47, "1", 4.0), Behind("contacts", 1, 0, None, 0.0))
    assert work.ready is not None
    assert (work.ready.ok, work.vendors) == (True, ())
    assert poll.vendors == (VendorState("alpine_iq", False, (("3600s", 1994),), 8, 2),)
    assert poll.ready is not None
    assert not poll.ready.ok
    assert (notify.role, notify.ready) == ("sink-notify", None)


async def test_what_is_no_role_is_one_that_does_not_answer() -> None:
    async def nonsense(_: object) -> PlainTextResponse:
        return PlainTextResponse("loyalty_lag_records{ nonsense")

    with served(Starlette(routes=[Route("/{path:path}", nonsense)])) as address:
        for said in (address, "not an address", "http://[::bad"):
            assert [each.ready for each in await read_roles({"worker": said}, ORG)] == [None]


async def test_the_page_shows_them_to_who_belongs_to_the_org(tmp_path: Path, worker: str, poller: str) -> None:
    desk = desk_of(tmp_path, busy_shop(20))
    desk.site = replace(desk.site, roles=lambda: {"worker": worker, "poll": poller, "sink-notify": NOBODY})
    async with desk.browser() as browser:
        text = Seen((await browser.get("/system")).text).text
    assert "Worker Ready accounts 3 47 most in 1 4.0 s" in text
    assert "Poller Not ready" in text
    assert "Notifier Does not answer" in text
    assert "Alpine IQ Held back 1,994 by the hour 8 2 failed" in text
    assert "777" not in text, "another org's budget"


async def test_a_page_that_knows_of_no_roles_says_so(tmp_path: Path) -> None:
    async with desk_of(tmp_path, busy_shop(20)).browser() as browser:
        assert "Other roles run elsewhere, or not at all" in Seen((await browser.get("/system")).text).text
