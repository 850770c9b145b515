"""What people do on the pages: decided through the service, by those who may, and seen at once."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from stream.contracts import topics
from stream.contracts.audit import AUDIT
from stream.contracts.cases import CaseState, Resolution
from stream.contracts.facts import FACTS
from stream.contracts.settings import Mode
from stream.web.access.sessions import COOKIE
from tests.web.pages.desk import Desk, Seen, desk_of
from tests.web.pages.shops import NOW, ORG, busy_shop, run_ended, run_under_way
from tests.web.world import LOCAL_KEY, PASSWORD

CASE = "/cases/2000/1"
DAY = 86_400_000


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return desk_of(tmp_path, busy_shop(61))


def state_of(desk: Desk, customer: str) -> CaseState:
    found = desk.views.case(ORG, customer, 1)
    assert found is not None
    return found.case.state


@pytest.mark.parametrize(
    ("action", "fields", "shows"),
    [
        ("acknowledge", {}, "Acknowledged."),
        ("acknowledge", {"reason": "seen it"}, "seen it"),
        ("note", {"reason": "called <b>them</b>"}, "called <b>them</b>"),
        ("assign", {"to": "Ben"}, "with ben"),
        ("silence", {"days": "7"}, "silenced until"),
        ("accept", {"reason": "a gift", "days": "30"}, "+170 accepted by maria"),
        ("resolve", {"reason": "fixed over there"}, "resolved"),
    ],
)
async def test_a_case_is_decided(desk: Desk, action: str, fields: dict[str, str], shows: str) -> None:
    async with desk.browser() as browser:
        answer = await browser.post(f"{CASE}/{action}?org={ORG}", data=fields)
        assert answer.status_code == 303, answer.text
        assert f"done={action}" in answer.headers["location"]
        text = Seen((await browser.get(answer.headers["location"])).text).text
    assert shows in text
    [entry] = [AUDIT.decode(each.value or b"").data for each in desk.log.of(topics.AUDIT)]
    assert (entry.actor, entry.target) == ("user:maria", f"{ORG}:2000:1")


async def test_accepting_takes_the_difference_that_was_shown(desk: Desk) -> None:
    async with desk.browser() as browser:
        await browser.post(f"{CASE}/accept?org={ORG}", data={"reason": "a gift", "days": "30"})
    [fact] = [FACTS.decode(each.value or b"").data for each in desk.log.of(topics.FACTS)]
    assert (fact.points, fact.until, fact.reason) == (170, NOW + 30 * DAY, "a gift")
    found = desk.views.case(ORG, "2000", 1)
    assert found is not None
    assert found.case.resolved_as is Resolution.ACCEPTED


@pytest.mark.parametrize(
    ("who", "path", "fields"),
    [
        ("vi", f"{CASE}/acknowledge", {}),
        ("vi", "/lookup/sync", {"customer": "2000"}),
        ("sam", f"{CASE}/accept", {"reason": "x"}),
        ("sam", f"{CASE}/resolve", {"reason": "x"}),
        ("vi", "/cases", {"action": "acknowledge", "case": f"{ORG}:2000:1"}),
        ("sam", "/cases", {"action": "accept", "case": f"{ORG}:2000:1"}),
        ("sam", "/runs", {}),
        ("sam", "/settings/preview", {}),
        ("sam", "/settings", {"reason": "x"}),
        ("sam", "/problems/0:1/retry", {}),
    ],
)
async def test_who_may_not_is_told_and_nothing_is_published(
    desk: Desk, who: str, path: str, fields: dict[str, str]
) -> None:
    async with desk.browser(who) as browser:
        answer = await browser.post(f"{path}?org={ORG}", data=fields)
    assert answer.status_code == 403
    assert "You may not do that" in answer.text
    assert desk.log.published == []


async def test_buttons_are_shown_to_those_who_may(desk: Desk) -> None:
    shown = {}
    for who in ("vi", "sam", "maria"):
        async with desk.browser(who) as browser:
            text = Seen((await browser.get(CASE)).text).text
        shown[who] = [word for word in ("Acknowledge", "Write a note…", "Resolve…") if word in text]
    assert shown == {
        "vi": [],
        "sam": ["Acknowledge", "Write a note…"],
        "maria": ["Acknowledge", "Write a note…", "Resolve…"],
    }


@pytest.mark.parametrize(
    ("path", "fields", "says"),
    [
        (f"{CASE}/resolve", {"reason": "  "}, "Say why"),
        (f"{CASE}/silence", {"days": "5000"}, "Choose for how long"),
        (f"{CASE}/assign", {"to": "two words"}, "User name"),
        ("/cases", {"action": "resolve"}, "Pick 1 to 100"),
        ("/cases", {"action": "explode", "case": f"{ORG}:2000:1"}, "Choose what to do"),
        ("/settings", {"reason": "x", "expected": "2", "settings": "{"}, "Settings:"),
    ],
)
async def test_a_form_that_cannot_be_says_what_is_missing(
    desk: Desk, path: str, fields: dict[str, str], says: str
) -> None:
    async with desk.browser() as browser:
        answer = await browser.post(f"{path}?org={ORG}", data=fields)
    assert answer.status_code == 422
    assert says in answer.text
    assert desk.log.published == []


async def test_another_site_cannot_decide(desk: Desk) -> None:
    async with desk.browser() as browser:
        answer = await browser.post(
            f"{CASE}/resolve?org={ORG}", data={"reason": "x"}, headers={"sec-fetch-site": "cross-site"}
        )
    assert answer.status_code == 403
    assert desk.log.published == []


async def test_several_cases_are_asked_about_once(desk: Desk) -> None:
    picked = {"action": "resolve", "case": [f"{ORG}:2000:1", f"{ORG}:2020:1"]}
    async with desk.browser() as browser:
        asked = await browser.post(f"/cases?org={ORG}", data=picked)
        text = Seen(asked.text).text
        assert "Resolve 2 cases?" in text
        assert "Together they are 177 points apart." in text
        assert desk.log.published == []
        done = await browser.post(f"/cases?org={ORG}", data={**picked, "confirmed": "yes", "reason": "all fixed"})
    assert done.status_code == 303
    assert [state_of(desk, each) for each in ("2000", "2020", "2060")] == [
        CaseState.RESOLVED,
        CaseState.RESOLVED,
        CaseState.OPEN,
    ]


async def test_a_resolved_case_can_not_be_decided_again(desk: Desk) -> None:
    async with desk.browser() as browser:
        await browser.post(f"{CASE}/resolve?org={ORG}", data={"reason": "fixed"})
        answer = await browser.post(f"{CASE}/acknowledge?org={ORG}")
    assert answer.status_code == 409
    assert "That came too late" in answer.text


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────


async def form_of(browser: httpx.AsyncClient, path: str = "/settings") -> dict[str, list[str]]:
    """The settings form as a browser would send it."""
    html = (await browser.get(path)).text
    fields = Seen(html).fields
    for name, value in {
        "rounding": "half_up",
        "rounding_per": "total",
        "basis": "total",
        "compare": "raw",
        "mode": "live" if 'value="live" selected' in html else "observe",
    }.items():
        fields[name] = [value]
    fields["statuses"] = [html.split('name="statuses"')[1].split(">", 1)[1].split("</textarea>")[0]]
    fields["tier_benefits"] = [
        part.split(">", 1)[1].split("</textarea>")[0] for part in html.split('name="tier_benefits"')[1:]
    ]
    fields["equity_customers"] = [""]
    return fields


async def test_the_form_as_it_is_changes_nothing(desk: Desk) -> None:
    async with desk.browser() as browser:
        answer = await browser.post(f"/settings/preview?org={ORG}", data=await form_of(browser))
    assert answer.status_code == 200, Seen(answer.text).text
    assert "Nothing: these settings are in force." in Seen(answer.text).text


async def test_a_change_is_previewed_then_applied_and_gone_back_from(desk: Desk) -> None:
    async with desk.browser() as browser:
        fields = await form_of(browser)
        fields |= {"percent": ["50"], "tier_threshold": ["0", "300", "1000", ""]}
        tried = await browser.post(f"/settings/preview?org={ORG}", data=fields)
        text = Seen(tried.text).text
        assert "discrepancies open" in text
        assert "Nothing has changed yet." in text
        assert "Tolerance, percent 10 50" in text
        assert desk.log.published == []
        carried = Seen(tried.text).fields
        done = await browser.post(
            f"/settings?org={ORG}",
            data={"settings": carried["settings"], "expected": carried["expected"], "reason": "looser"},
        )
        assert done.status_code == 303, done.text
        in_force = desk.views.settings(ORG)
        assert in_force is not None
        assert in_force.version == 3
        assert in_force.settings.tolerance.percent == 50
        assert [tier.threshold for tier in in_force.settings.tiers] == [0, 300, 1000]
        assert in_force.settings.mode is Mode.LIVE
        back = await form_of(browser, "/settings?from=2")
        assert back["percent"] == ["10"]
        again = await browser.post(
            f"/settings?org={ORG}", data={**_carried(carried), "expected": "2", "reason": "late"}
        )
        assert again.status_code == 412


def _carried(fields: dict[str, list[str]]) -> dict[str, str]:
    return {"settings": fields["settings"][0]}


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("percent", "ten", "percent is 'ten', allowed: a number"),
        ("rate", "-1", "points_per_dollar"),
        ("floor_points", "1.5", "allowed: whole numbers"),
        ("tier_threshold", "5", "tiers[0].threshold"),
        ("daily_at", "25:99", "daily_at"),
        ("mode", "boom", "boom"),
        ("cap_points", "1e999", "allowed: a number"),
    ],
)
async def test_settings_that_cannot_be_are_refused_in_place(desk: Desk, field: str, value: str, says: str) -> None:
    async with desk.browser() as browser:
        fields = await form_of(browser)
        fields[field] = [value, *fields[field][1:]]
        answer = await browser.post(f"/settings/preview?org={ORG}", data=fields, headers={"hx-request": "true"})
    assert answer.status_code == 422, Seen(answer.text).text
    assert says in Seen(answer.text).text
    assert "<html" not in answer.text


# ── runs, letters, logging in ────────────────────────────────────────────────────────────────────────────────


async def test_a_customer_is_synced_at_the_counter(desk: Desk) -> None:
    async with desk.browser("sam") as browser:
        answer = await browser.post(f"/lookup/sync?org={ORG}", data={"customer": "2000", "back": "lookup"})
        assert answer.status_code == 303
        assert "Alpine IQ answered" in (await browser.get(answer.headers["location"])).text


async def test_everybody_is_synced(desk: Desk) -> None:
    async with desk.browser() as browser:
        answer = await browser.post(f"/runs?org={ORG}")
        assert answer.status_code == 303
        assert "Waiting" in (await browser.get(answer.headers["location"])).text


async def test_a_run_is_told_as_it_goes_until_it_has_ended(tmp_path: Path) -> None:
    desk = desk_of(tmp_path, busy_shop(21), run_under_way(), run_ended())
    async with desk.browser() as browser:
        answer = await browser.get(f"/live/runs/{ORG}:daily:20260130T202100.000?org={ORG}")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "event: run\n" in answer.text
    assert "110 agree, 6 need review" in answer.text
    assert all(line.startswith(("data: ", "event: ")) for line in answer.text.splitlines() if line)


@pytest.mark.parametrize(("action", "fields"), [("retry", {}), ("discard", {"reason": "a test order"})])
async def test_a_record_is_tried_again_or_let_go(desk: Desk, action: str, fields: dict[str, str]) -> None:
    letter = desk.views.dead_letters(org=ORG, undecided=True)[0]
    async with desk.browser() as browser:
        place = f"{letter.partition}:{letter.offset}"
        answer = await browser.post(f"/problems/{place}/{action}?org={ORG}", data=fields)
        assert answer.status_code == 303, answer.text
        text = Seen((await browser.get(f"/problems?org={ORG}&decided=1")).text).text
    assert ("tried again by maria" if action == "retry" else "discarded by maria") in text


@pytest.mark.parametrize(("action", "fields"), [("retry", {}), ("discard", {"reason": "test orders"})])
async def test_all_records_of_a_reason_are_decided_at_once(desk: Desk, action: str, fields: dict[str, str]) -> None:
    reason = "total is missing"
    letters = desk.views.dead_letters(org=ORG, reason=reason, undecided=True)
    assert len(letters) == 2
    async with desk.browser() as browser:
        before = Seen((await browser.get("/problems", params={"reason": reason})).text)
        assert "Retry all 2" in before.text
        shown = {"place": before.fields["place"][:2]}
        answer = await browser.post(f"/problems/all/{action}?org={ORG}", data=shown | fields)
        assert answer.status_code == 303, answer.text
        assert f"done={action}" in answer.headers["location"]
    assert desk.views.dead_letters(org=ORG, reason=reason, undecided=True) == []
    targets = {AUDIT.decode(each.value or b"").data.target for each in desk.log.of(topics.AUDIT)}
    places = {f"{each.partition}:{each.offset}" for each in letters}
    assert targets >= places
    assert len(targets - places) == (action == "retry"), "one run reads all of them again"


@pytest.mark.parametrize(
    ("who", "action", "fields", "status"),
    [
        ("sam", "retry", {"place": "0:1"}, 403),
        ("maria", "retry", {}, 422),
        ("maria", "retry", {"place": [f"0:{each}" for each in range(26)]}, 422),
        ("maria", "discard", {"place": "0:1"}, 422),
        ("maria", "explode", {"place": "0:1"}, 404),
        ("maria", "retry", {"place": ["0:999999", "x"]}, 409),
    ],
)
async def test_what_cannot_be_decided_at_once_is_refused(
    desk: Desk, who: str, action: str, fields: dict[str, str | list[str]], status: int
) -> None:
    async with desk.browser(who) as browser:
        assert (await browser.post(f"/problems/all/{action}?org={ORG}", data=fields)).status_code == status
    assert desk.log.published == []


async def test_who_logs_in_gets_where_they_wanted(desk: Desk) -> None:
    async with desk.browser(None) as browser:
        wrong = await browser.post("/login", data={"name": "maria", "password": "wrong", "next": "/cases"})
        assert wrong.status_code == 401
        assert "do not fit together" in wrong.text
        right = await browser.post("/login", data={"name": "Maria", "password": PASSWORD, "next": "/cases?org=x"})
        assert right.status_code == 303
        assert right.headers["location"] == "/cases?org=x"
        assert "httponly" in right.headers["set-cookie"].lower()
        assert (await browser.get("/cases")).status_code == 200
        await browser.post("/logout")
        assert COOKIE not in browser.cookies
        assert (await browser.get("/cases")).status_code == 303


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "", "javascript:1"])
async def test_logging_in_leads_nowhere_else(desk: Desk, wanted: str) -> None:
    async with desk.browser(None) as browser:
        answer = await browser.post("/login", data={"name": "maria", "password": PASSWORD, "next": wanted})
    assert answer.headers["location"] == "/"


async def test_packaged_files_are_served_and_nothing_else(desk: Desk) -> None:
    async with desk.browser(None) as browser:
        for name in ("app.css", "app.js", "charts.js", "htmx.min.js", "uplot.min.js", "licences/uplot.txt"):
            answer = await browser.get(f"/assets/{name}?v=1")
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]
        for name in ("../app.py", "%2e%2e/app.py", "..%2fapp.py", "nothing.js", "", "%00", "app.css%00"):
            assert (await browser.get(f"/assets/{name}")).status_code in (303, 404), name


async def test_ones_own_password_is_changed_on_a_page(desk: Desk) -> None:
    another = "staple battery horse"
    fields = {"current": PASSWORD, "new": another, "again": another}
    async with desk.browser("vi") as browser, desk.browser("vi") as elsewhere:
        assert "Change password" in Seen((await browser.get("/")).text).text
        for wrong, status, says in (
            ({"current": "wrong"}, 403, "That is not your current password."),
            ({"again": "something else"}, 422, "The new password and its repetition differ."),
            ({"new": "short", "again": "short"}, 422, "A password has 12 to 256 characters."),
        ):
            answer = await browser.post("/password", data=fields | wrong)
            assert (answer.status_code, says in Seen(answer.text).text) == (status, True)
            assert another not in answer.text
        other_site = await browser.post("/password", data=fields, headers={"sec-fetch-site": "cross-site"})
        assert (other_site.status_code, desk.log.published) == (403, [])
        desk.clock.now += 1
        done = await browser.post("/password", data=fields)
        assert done.status_code == 303, done.text
        assert "Your password is changed." in Seen((await browser.get(done.headers["location"])).text).text
        assert (await elsewhere.get("/")).status_code == 303, "logged out"
        assert (await elsewhere.post("/login", data={"name": "vi", "password": another})).status_code == 303


async def test_who_came_by_a_link_has_no_password_to_change(desk: Desk) -> None:
    async with desk.client(LOCAL_KEY) as local, desk.browser(None) as browser:
        await browser.get((await local.post("/api/v1/session/links")).json()["path"])
        assert "Change password" not in (await browser.get("/")).text
        assert "which has no password" in (await browser.get("/password")).text
        answer = await browser.post("/password", data={"current": "x", "new": "y" * 12, "again": "y" * 12})
    assert answer.status_code == 403
