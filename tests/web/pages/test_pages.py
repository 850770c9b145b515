"""Every page: with data, with none, before there is an org, with what is hostile; and to whom."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream.contracts import topics
from stream.web.access.gate import LOG_IN
from tests.web.pages.desk import Desk, Seen, desk_of, inline_parts
from tests.web.pages.shops import ORG, busy_shop, empty_shop, outage, run_ended, run_under_way
from tests.web.test_queries import Asked, faults
from tests.web.world import Follower

RUN = f"{ORG}:daily:2026-01-30"
PAGES = {
    "/": "10 customers need you. 122 agree. Alpine IQ is current (12 h ago).",
    "/lookup": "Type a phone number in any form",
    "/lookup?q=2060": "You have 1,126 points. You are Gold. We are checking this number.",
    "/lookup?q=nguyen": "Who is it?",
    "/lookup?q=5550002007": "Hiroshi Haddad",
    "/lookup?q=zzzz": "Nobody is called that",
    "/customers": "Ana Okafor",
    "/customers?verdict=discrepancy&shop=1000": "Needs review",
    "/customers?q=ana&tier=Gold": "Ana",
    "/customers?case=live": "Esperanza Haddad",
    "/customers/2000": "Alpine IQ shows 530, orders give 360: 170 too many.",
    "/customers/2006": "Alpine IQ's balance is unknown.",
    "/cases": "Adjusted by hand at Alpine IQ",
    "/cases?state=resolved": "Esperanza O'Neill",
    "/cases?mine=1": "Esperanza Haddad",
    "/cases/2000/1": "140 of it: adjusted by hand at Alpine IQ. 30 unexplained.",
    "/cases/2160/1": "resolved 1 h ago: the difference was accepted",
    "/runs": "Alpine IQ did not answer: 503 after 6 attempts",
    f"/runs/{RUN}": "110 agree, 10 need review. It took",
    "/problems": "5 records could not be read, for 4 reasons.",
    "/problems?reason=total+is+missing": "It counts 0 until it is fixed in Alleaves; then press Retry.",
    "/coverage": "144 of 240 customers have a balance at Alpine IQ.",
    "/settings": "Version 2 is in force.",
    "/settings?from=1": "The form shows version 1",
    "/system": "These pages are 3 records behind.",
    "/password": "Wherever else you are logged in, you are logged out.",
}
EMPTY = {
    "/": "The first run has not ended yet.",
    "/lookup": "Type a phone number",
    "/customers": "No customers yet.",
    "/cases": "Nothing has been compared yet.",
    "/runs": "No run has ended yet.",
    "/problems": "Nothing has been read yet.",
    "/coverage": "Nothing to match yet.",
    "/settings": "Version 1 is in force.",
    "/system": "Nobody has changed anything yet.",
}
QUERIES_MAX = 24


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return desk_of(tmp_path_factory.mktemp("busy"), busy_shop(), views_class=Asked)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return desk_of(tmp_path_factory.mktemp("hostile"), busy_shop(40, hostile=True), outage())


@pytest.mark.parametrize(("path", "said"), PAGES.items())
async def test_a_page_says_what_there_is(busy: Desk, path: str, said: str) -> None:
    async with busy.browser() as browser:
        answer = await browser.get(path)
    assert answer.status_code == 200, answer.text[:500]
    assert said in Seen(answer.text).text
    assert inline_parts(answer.text) == []


@pytest.mark.parametrize(("path", "said"), EMPTY.items())
async def test_an_empty_page_says_what_will_appear(tmp_path: Path, path: str, said: str) -> None:
    async with desk_of(tmp_path, empty_shop()).browser("ada") as browser:
        answer = await browser.get(path)
    assert answer.status_code == 200, answer.text[:500]
    assert said in Seen(answer.text).text


@pytest.mark.parametrize("path", EMPTY)
async def test_who_has_no_org_sees_none(busy: Desk, path: str) -> None:
    async with busy.browser("nobody") as browser:
        answer = await browser.get(path)
        assert answer.status_code == 200
        assert ORG not in answer.text
        assert (await browser.get(path, params={"org": ORG})).status_code == 404


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/lookup"])
async def test_who_is_not_logged_in_is_led_to_the_log_in_page_and_back(busy: Desk, path: str) -> None:
    async with busy.browser(None) as browser:
        answer = await browser.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith(f"{LOG_IN}?next=%2F")
        form = Seen((await browser.get(answer.headers["location"])).text)
    assert form.fields["next"] == [path]


@pytest.mark.parametrize("who", ["vi", "sam", "maria", "ada"])
@pytest.mark.parametrize(
    "path", ["/", "/lookup?q=2060", "/customers/2000", "/cases/2000/1", "/problems", "/settings", "/system"]
)
async def test_every_role_may_look(busy: Desk, who: str, path: str) -> None:
    async with busy.browser(who) as browser:
        assert (await browser.get(path)).status_code == 200


async def test_contact_data_is_masked_for_viewers(busy: Desk) -> None:
    async with busy.browser("vi") as viewer, busy.browser("sam") as support:
        for path in ("/customers/2008", "/lookup?q=2008", "/lookup?q=imani"):
            masked, plain = (await viewer.get(path)).text, (await support.get(path)).text
            assert "+15550002008" not in masked
            assert "imani.2008@example.com" not in masked
            if path != "/lookup?q=imani":
                assert "15550002008" in plain


async def test_only_administrators_see_who_changed_what(busy: Desk) -> None:
    async with busy.browser("ada") as admin, busy.browser("maria") as manager:
        assert "Benefits named" in (await admin.get("/system")).text
        assert "Benefits named" not in (await manager.get("/system")).text


@pytest.mark.parametrize("path", ["/customers/9999", "/cases/2000/7", "/cases/x/y", "/runs/none", "/settings?from=99"])
async def test_what_is_not_there_is_a_page_that_says_so(busy: Desk, path: str) -> None:
    async with busy.browser() as browser:
        answer = await browser.get(path)
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


async def test_a_provider_that_does_not_answer_is_said_on_every_page(hostile: Desk) -> None:
    async with hostile.browser() as browser:
        for path in EMPTY:
            text = Seen((await browser.get(path)).text).text
            assert "Alpine IQ has not answered since 14:11." in text
            assert "No alerts will be sent for missing balances." in text


async def test_a_log_that_does_not_answer_is_said(tmp_path: Path) -> None:
    async with desk_of(tmp_path, busy_shop(20), follower=Follower(reachable=False)).browser() as browser:
        assert "The log does not answer." in (await browser.get("/system")).text


async def test_until_a_run_has_ended_today_says_so_although_orders_are_there(tmp_path: Path) -> None:
    records = [each for each in busy_shop(20) if each.topic != topics.RUNS.name]
    desk = desk_of(tmp_path, records, run_under_way())
    async with desk.browser() as browser:
        text = Seen((await browser.get("/")).text).text
        assert "The first run has not ended yet." in text
        assert "1,200 orders of 640 customers" in text
        assert "Nobody needs you" not in text
        desk.log.write(run_ended())
        assert "1 customer needs you." in Seen((await browser.get("/")).text).text


async def test_nobody_needs_you_is_not_said_before_the_verdicts_of_a_run_that_has_ended_are_here(
    tmp_path: Path,
) -> None:
    records = busy_shop(20)
    number = max(place for place, each in enumerate(records) if each.topic == topics.PROFILES.name)
    unknown = [each for each in records[: number + 1] if b"unknown" in (each.value or b"") or each.topic != "profiles"]
    rest = [each for each in records if each.topic == topics.PROFILES.name and each not in unknown]
    desk = desk_of(tmp_path, unknown, records[number + 1 :])
    async with desk.browser() as browser:
        assert "The first run has not ended yet." in Seen((await browser.get("/")).text).text
        desk.log.write(rest)
        assert "1 customer needs you." in Seen((await browser.get("/")).text).text


async def test_a_shop_counts_its_own_cases(busy: Desk) -> None:
    async with busy.browser() as browser:
        counts = {}
        for shop in ("1000", "1001", ""):
            text = Seen((await browser.get("/cases", params={"shop": shop})).text).text
            found = re.search(r"(\d+) cases? (?:is|are) not resolved\.", text)
            counts[shop] = int(found[1]) if found else 0
            assert f"Not resolved {counts[shop]} Open" in text
    assert counts == {"1000": 9, "1001": 0, "": 9}


async def test_another_shop_leads_from_one_customer_to_the_list_with_its_filters(busy: Desk) -> None:
    async with busy.browser() as browser:
        one = (await browser.get("/customers/2000?run=x")).text
        some = (await browser.get("/customers?q=ana&tier=Gold")).text
    assert '<form action="/customers" method="get" class="row">' in one
    assert Seen(one).fields["org"] == [ORG, ORG], "the search's and the picker's"
    assert "run" not in Seen(one).fields
    assert "ana" in Seen(some).fields["q"]


async def test_a_run_says_what_went_wrong_with_the_vendors(busy: Desk) -> None:
    async with busy.browser() as browser:
        with_errors = Seen((await browser.get(f"/runs/{RUN}")).text).text
    assert "Alleaves 1 timed out; 3 records unreadable 31 calls 30 answered" in with_errors
    assert "Alpine IQ 2 throttled 4 calls 4 answered" in with_errors


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("/customers?verdict=discrepancy", 10),
        ("/customers?q=rossi&tier=Silver", None),
        ("/cases", 9),
        ("/cases?mine=1", 1),
        ("/cases?state=resolved", 1),
        ("/runs", 31),
        ("/customers/2000", 6),
    ],
)
async def test_a_list_is_to_be_had_as_a_file_with_the_same_filters(busy: Desk, path: str, rows: int | None) -> None:
    async with busy.browser() as browser:
        seen = Seen((await browser.get(path)).text)
        [link] = [each for each in seen.links if "export=csv" in each]
        answer = await browser.get(link)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    shown = rows if rows is not None else seen.tags.count("tr") - 1
    assert len(answer.text.splitlines()) == 1 + shown


async def test_every_reason_leads_to_its_records(hostile: Desk) -> None:
    async with hostile.browser() as browser:
        seen = Seen((await browser.get("/problems")).text)
        reasons = {link for link in seen.links if link.endswith("#letters") and "reason=" in link}
        assert len(reasons) >= 5
        for link in reasons:
            assert "kept at" in Seen((await browser.get(link)).text).text, link[:200]


# ── hostile ──────────────────────────────────────────────────────────────────────────────────────────────────

_WITH_NAMES = ("q", "after", "before", "verdict", "tier", "case", "shop", "state", "mine")
_MORE_NAMES = ("reason", "decided", "done", "run", "from", "since")
_NAMES = (
    "q",
    "after",
    "before",
    "verdict",
    "tier",
    "case",
    "shop",
    "state",
    "mine",
    "reason",
    "decided",
    "done",
    "run",
)
_VALUES = [
    "<script>alert(1)</script>",
    "'; DROP TABLE profiles;--",
    "\x00",
    "x" * 2000,
    "../../etc",
    "-1",
    "9" * 40,
    '"*',
]


@pytest.mark.parametrize("value", _VALUES)
@pytest.mark.parametrize(
    "path", ["/lookup", "/customers", "/customers/9001", "/cases", "/runs", "/problems", "/settings"]
)
async def test_hostile_parameters_are_text_or_refused(hostile: Desk, path: str, value: str) -> None:
    async with hostile.browser() as browser:
        for parameters in (dict.fromkeys(_NAMES, value), {"q": "ana", "after": value}, {"after": value}):
            answer = await browser.get(path, params=parameters)
            assert answer.status_code in (200, 404), (path, answer.text[:300])
            assert "<script>alert" not in answer.text


# ── how much is asked ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_asks_few_questions_each_served_by_an_index(busy: Desk, path: str) -> None:
    views = busy.views
    assert isinstance(views, Asked)
    async with busy.browser() as browser:
        views.asked.clear()
        await browser.get(path)
    asked = list(views.asked)
    assert 0 < len(asked) <= QUERIES_MAX
    for sql, values in asked:
        if not sql.startswith("PRAGMA") and "pragma_table_info" not in sql:
            assert faults(busy, sql, values) == [], sql


@pytest.mark.parametrize("path", ["/", "/customers", "/cases", "/runs", "/problems", "/coverage", "/settings"])
async def test_the_number_of_questions_does_not_grow_with_the_shop(tmp_path: Path, busy: Desk, path: str) -> None:
    small = desk_of(tmp_path, busy_shop(21), run_under_way(), views_class=Asked)
    counts = []
    for desk in (small, busy):
        views = desk.views
        assert isinstance(views, Asked)
        async with desk.browser() as browser:
            views.asked.clear()
            await browser.get(path)
            counts.append(len(views.asked))
    assert counts[1] <= counts[0] + 3


async def test_lists_go_on_where_they_ended(busy: Desk) -> None:
    async with busy.browser() as browser:
        for path in ("/customers", "/customers?q=example", "/runs"):
            seen = Seen((await browser.get(path)).text)
            following = next(link for link in seen.links if "after=" in link)
            rows = {link for link in seen.links if link.split("?")[0].count("/") == 2}
            more = {
                link for link in Seen((await browser.get(following)).text).links if link.split("?")[0].count("/") == 2
            }
            assert len(rows - more) > 20, path
            assert more - rows


async def test_an_address_that_does_not_exist_is_a_page_for_people_and_a_problem_for_programs(busy: Desk) -> None:
    async with busy.browser() as browser:
        people = await browser.get("/no-such-page", headers={"accept": "text/html"})
        programs = await browser.get("/no-such-page", headers={"accept": "application/json"})
        api = await browser.get("/api/v1/no-such-thing", headers={"accept": "text/html"})
    assert (people.status_code, people.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such page." in Seen(people.text).text
    assert {answer.headers["content-type"] for answer in (programs, api)} == {"application/problem+json"}
