"""What people decide is published as facts, with an entry in the audit before it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from stream.contracts import dead_letters, topics
from stream.contracts.audit import AUDIT
from stream.contracts.cases import CaseState, CaseStep
from stream.contracts.facts import (
    FACTS,
    AcceptDifference,
    AcknowledgeCase,
    AssignCase,
    NoteCase,
    ResolveCase,
    SilenceCase,
)
from stream.contracts.runs import (
    RUNS,
    ChangeSettings,
    CustomerSynced,
    RunCompleted,
    RunKind,
    RunRequested,
    RunStarted,
    Tally,
)
from stream.contracts.settings import OrgSettings, Tolerance
from stream.engine.ports import Input, Output
from stream.sinks.reading import Place
from stream.sinks.views.apply import drop_expired_dead_letters
from stream.sinks.views.file import open_for_writing
from stream.web.service import LATELY_MS, WAITING_MAX
from tests.sinks.records import (
    AT,
    ORG,
    a_profile,
    case_record,
    dead_letter_record,
    profile_record,
    record,
    run_record,
    settings_record,
)
from tests.web.world import CASE, World, key_id, token_of

HERE = f"/api/v1/orgs/{ORG}"
NEXT_YEAR = "2027-01-30T20:21:58.003Z"
NEXT_YEAR_MS = AT + 365 * 86_400_000
BY = f"key:{key_id('manager')}"


def audited(world: World) -> list[tuple[str, str, str | None, str | None]]:
    entries = [AUDIT.decode(each.value or b"").data for each in world.log.of(topics.AUDIT)]
    return [(entry.action.value, entry.actor, entry.target, entry.reason) for entry in entries]


def manager(world: World) -> Any:
    return world.client(token_of("manager"))


DECISIONS = [
    ({"action": "acknowledge"}, AcknowledgeCase(CASE.id, BY), None),
    ({"action": "acknowledge", "note": "seen"}, AcknowledgeCase(CASE.id, BY, "seen"), "seen"),
    ({"action": "accept", "reason": "a gift"}, AcceptDifference(CASE.id, BY, 51, "a gift"), "a gift"),
    (
        {"action": "accept", "reason": "r", "points": -3, "until": NEXT_YEAR},
        AcceptDifference(CASE.id, BY, -3, "r", NEXT_YEAR_MS),
        "r",
    ),
    ({"action": "silence", "until": NEXT_YEAR}, SilenceCase(CASE.id, BY, NEXT_YEAR_MS), None),
    ({"action": "note", "note": "called"}, NoteCase(CASE.id, BY, "called"), "called"),
    ({"action": "assign", "to": "ana"}, AssignCase(CASE.id, BY, "ana"), None),
    ({"action": "assign", "to": None}, AssignCase(CASE.id, BY, None), None),
    ({"action": "resolve", "reason": "corrected"}, ResolveCase(CASE.id, BY, "corrected"), "corrected"),
]


@pytest.mark.parametrize(("body", "fact", "reason"), DECISIONS)
async def test_an_action_on_a_case_is_a_fact_about_its_customer(
    world: World, body: dict[str, Any], fact: object, reason: str | None
) -> None:
    async with manager(world) as client:
        answer = await client.post(f"{HERE}/cases/{CASE.id}/actions", json=body)
    assert answer.status_code == 200, answer.text
    (published,) = world.log.of(topics.FACTS)
    assert (published.key, FACTS.decode(published.value or b"").data) == (f"{ORG}:7".encode(), fact)
    assert audited(world) == [(f"case.{body['action']}", BY, CASE.id, reason)]
    assert [each.topic for each in world.log.published] == ["audit", "facts"], "the entry comes first"


@pytest.mark.parametrize(
    "body",
    [
        {"action": "acknowledge", "extra": 1},
        {"action": "accept"},
        {"action": "accept", "reason": "  "},
        {"action": "accept", "reason": "r", "points": 1.5},
        {"action": "silence"},
        {"action": "silence", "until": "2020-01-30T00:00:00Z"},
        {"action": "silence", "until": "2027-01-30T00:00:00"},
        {"action": "note", "note": ""},
        {"action": "assign", "to": "No Such Name"},
        {"action": "resolve", "reason": "x" * 2001},
        {"action": "delete"},
        {},
    ],
)
async def test_an_action_that_cannot_be_is_refused(world: World, body: dict[str, Any]) -> None:
    async with manager(world) as client:
        answer = await client.post(f"{HERE}/cases/{CASE.id}/actions", json=body)
    assert answer.status_code == 422, answer.text
    assert world.log.published == []


async def test_the_answer_is_the_case_as_it_then_is(world: World) -> None:
    seen = replace(
        CASE, state=CaseState.ACKNOWLEDGED, version=2, history=(*CASE.history, CaseStep("acknowledged", AT, BY))
    )
    world.log.reacting = lambda output: [case_record("7", seen)] if output.topic == "facts" else []
    async with manager(world) as client:
        shown = (await client.post(f"{HERE}/cases/{CASE.id}/actions", json={"action": "acknowledge"})).json()
    assert (shown["state"], [step["what"] for step in shown["history"]]) == ("acknowledged", ["opened", "acknowledged"])


@pytest.mark.parametrize(("action", "status"), [("acknowledge", 409), ("resolve", 409), ("note", 200), ("accept", 200)])
async def test_a_resolved_case_takes_notes_and_acceptances_only(world: World, action: str, status: int) -> None:
    world.log.write([case_record("7", replace(CASE, state=CaseState.RESOLVED, resolved_at=AT, version=2))])
    body = {"action": action} | {"note": {"note": "n"}, "acknowledge": {}}.get(action, {"reason": "r"})
    async with manager(world) as client:
        answer = await client.post(f"{HERE}/cases/{CASE.id}/actions", json=body)
    assert answer.status_code == status, answer.text


async def test_one_action_on_several_cases_is_for_all_or_none(world: World) -> None:
    second = replace(CASE, id=f"{ORG}:8:1")
    world.log.write([case_record("8", second)])
    bulk = {"cases": [CASE.id, second.id, CASE.id], "action": {"action": "resolve", "reason": "r"}}
    async with manager(world) as client:
        wrong = await client.post(f"{HERE}/cases/actions", json=bulk | {"cases": [CASE.id, f"{ORG}:9:1"]})
        assert (wrong.status_code, world.log.published) == (404, [])
        answer = await client.post(f"{HERE}/cases/actions", json=bulk)
    assert [case["id"] for case in answer.json()["cases"]] == [CASE.id, second.id]
    assert [FACTS.decode(each.value or b"").customer for each in world.log.of(topics.FACTS)] == ["7", "8"]
    assert len(audited(world)) == 2


# Settings


def applies(world: World, other: OrgSettings | None = None) -> None:
    """Answer ChangeSettings as the runs agent does."""

    def react(output: Output) -> Iterable[Input]:
        if output.topic != "runs":
            return []
        body = RUNS.decode(output.value or b"").data
        if not isinstance(body, ChangeSettings):
            return []
        return [settings_record((body.expected_version or 0) + 1, other or body.settings)]

    world.log.reacting = react


async def change(client: httpx.AsyncClient, content: str, version: str | None = '"1"') -> httpx.Response:
    headers = {"if-match": version} if version is not None else {}
    return await client.patch(f"{HERE}/settings", content=content, headers=headers)


async def test_settings_are_changed_field_by_field_without_a_binary_float(world: World) -> None:
    applies(world)
    content = '{"settings": {"tolerance": {"percent": 12.1}, "currency": "CAD"}, "reason": "Ana asked"}'
    async with manager(world) as client:
        answer = await change(client, content)
        versions = (await client.get(f"{HERE}/settings/versions")).json()["items"]
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    settings = world.views.settings(ORG)
    assert settings is not None
    assert str(settings.settings.tolerance.percent) == "12.1"
    assert settings.settings == OrgSettings(tolerance=Tolerance(settings.settings.tolerance.percent), currency="CAD")
    assert [(each["version"], each["by"], each["reason"], each["inForce"]) for each in versions] == [
        (2, BY, "Ana asked", True),
        (1, None, None, True),
    ]
    assert audited(world) == [("settings.change", BY, "2", "Ana asked")]


@pytest.mark.parametrize(
    ("content", "version", "status", "because"),
    [
        ('{"settings": {}, "reason": "r"}', None, 428, "without having seen any"),
        ('{"settings": {}, "reason": "r"}', '"2"', 412, "having seen others"),
        ('{"settings": {}, "reason": "r"}', "W/x", 412, "having seen none of ours"),
        ('{"settings": {}}', '"1"', 422, "without a reason"),
        ('{"settings": {"nonsense": 1}, "reason": "r"}', '"1"', 422, "a field that there is not"),
        ('{"settings": {"tolerance": {"nonsense": 1}}, "reason": "r"}', '"1"', 422, "one within a field"),
        ('{"settings": {"tiers": [{"nonsense": 1}]}, "reason": "r"}', '"1"', 422, "one within a list"),
        ('{"settings": {"tiers": []}, "reason": "r"}', '"1"', 422, "no tiers"),
        ('{"settings": {"tolerance": {"percent": "many"}}, "reason": "r"}', '"1"', 422, "no number"),
        ('{"settings": {"tolerance": {"percent": NaN}}, "reason": "r"}', '"1"', 422, "no JSON"),
        ('{"settings": {"schedule": {"daily_at": "25:00"}}, "reason": "r"}', '"1"', 422, "no time of day"),
        ('{"settings": {"schedule": {"intraday_minutes": 9999}}, "reason": "r"}', '"1"', 422, "less than once a day"),
        ('{"settings": {"schedule": {"deadline_minutes": 0}}, "reason": "r"}', '"1"', 422, "over at once"),
        ('{"settings": {"time_zone": "Mars/Olympus"}, "reason": "r"}', '"1"', 422, "a time zone that there is not"),
        ("[]", '"1"', 422, "no object"),
        ("", '"1"', 422, "nothing"),
    ],
)
async def test_settings_that_cannot_be_are_refused(
    world: World, content: str, version: str | None, status: int, because: str
) -> None:
    async with manager(world) as client:
        answer = await change(client, content, version)
    assert answer.status_code == status, because
    assert world.log.published == []


async def test_settings_that_cannot_be_are_not_tried_out_either(world: World) -> None:
    async with manager(world) as client:
        answer = await client.post(f"{HERE}/settings/preview", json={"settings": {"time_zone": "Mars/Olympus"}})
    assert (answer.status_code, "time_zone is Mars/Olympus" in answer.json()["detail"]) == (422, True)


async def test_what_somebody_else_put_in_force_first_is_not_taken_for_ones_own(world: World) -> None:
    applies(world, OrgSettings(currency="EUR"))
    async with manager(world) as client:
        answer = await change(client, '{"settings": {"currency": "CAD"}, "reason": "r"}')
    assert (answer.status_code, "version 2" in answer.json()["detail"]) == (412, True)


async def test_settings_that_nobody_takes_up_are_not_said_to_be_in_force(world: World) -> None:
    async with manager(world) as client:
        answer = await change(client, '{"settings": {"currency": "CAD"}, "reason": "r"}')
    assert (answer.status_code, "worker" in answer.json()["detail"]) == (503, True)


async def test_the_same_settings_again_change_nothing(world: World) -> None:
    async with manager(world) as client:
        answer = await change(client, '{"settings": {"currency": "USD"}, "reason": "r"}')
    assert (answer.status_code, world.log.published) == (200, [])


# Syncs


async def test_a_sync_is_requested_once_per_idempotency_key(world: World) -> None:
    async with manager(world) as client:
        answers = [
            await client.post("/api/loyalty/sync", json={"orgId": ORG}, headers={"Idempotency-Key": key})
            for key in ("nightly-1", "nightly-1", "with blank?".replace(" ", "/"))
        ]
    first, again, other = (answer.json() for answer in answers)
    assert [answer.status_code for answer in answers] == [202] * 3
    assert first["runId"] == again["runId"] == f"{ORG}:daily:nightly-1"
    assert other["runId"] != first["runId"]
    assert first["follow"] == answers[0].headers["location"] == f"{HERE}/runs/{first['runId']}"
    bodies = [RUNS.decode(each.value or b"").data for each in world.log.of(topics.RUNS)]
    assert bodies[0] == RunRequested(first["runId"], RunKind.DAILY, BY)
    assert len(world.views.audit(ORG)) == 2, "one entry for the same request"


async def test_a_key_belongs_to_what_is_asked_for(world: World) -> None:
    bodies = [{"orgId": ORG}, {"orgId": ORG, "customerId": "3528"}, {"orgId": ORG, "customerId": "7"}]
    async with world.client() as client:
        runs = [
            (await client.post("/api/loyalty/sync", json=body, headers={"Idempotency-Key": "k"})).json()["runId"]
            for body in bodies
        ]
    assert runs == [f"{ORG}:daily:k", f"{ORG}:customer:3528:k", f"{ORG}:customer:7:k"]


async def test_a_sync_joins_the_one_that_waits_for_its_turn(world: World) -> None:
    async def asked(key: str | None = None) -> httpx.Response:
        world.clock.now += 1
        headers = {"Idempotency-Key": key} if key else {}
        return await client.post("/api/loyalty/sync", json={"orgId": ORG}, headers=headers)

    async with world.client(token_of("manager")) as client, world.client() as other:
        first = (await asked()).json()["runId"]
        assert (await asked()).json()["runId"] == first
        assert (await other.post("/api/loyalty/sync", json={"orgId": ORG})).json()["runId"] == first
        assert (await asked("mine")).json()["runId"] == f"{ORG}:daily:mine", "a key asks for a run of its own"
        world.log.write([run_record(RunStarted(first, RunKind.DAILY, "me"), world.clock.now)])
        assert (await asked()).json()["runId"] == f"{ORG}:daily:mine", "the first one reads already"
        world.clock.now += LATELY_MS
        late = (await asked()).json()["runId"]
        assert late not in (first, f"{ORG}:daily:mine"), "what did not begin for so long may never"
        for n in range(WAITING_MAX - 1):
            assert (await asked(f"k{n}")).status_code == 202
        refused = await asked("one-too-many")
        assert (refused.status_code, "retry-after" in refused.headers) == (429, True)
        assert (await asked("k0")).status_code == 202, "that one waits already"
        assert (await asked()).status_code == 202
    actors = [AUDIT.decode(each.value or b"").data for each in world.log.of(topics.AUDIT)]
    assert {each.actor for each in actors if each.target == first} == {f"key:{key_id('manager')}", "local"}


async def test_a_customers_sync_says_what_it_refreshed_and_how_old_each_part_is(world: World) -> None:
    def react(output: Output) -> Iterable[Input]:
        if output.topic != "runs":
            return []
        asked = RUNS.decode(output.value or b"").data
        ended = RunCompleted(asked.run, RunKind.CUSTOMER, AT, AT + 5, Tally(customers=1), {"balances": 5}, "3528")
        renewed = a_profile(480, (0, 9), points_from_alpine=480, balance_as_of=AT + 5)
        return [
            run_record(CustomerSynced(asked.run, "matched")),
            profile_record("3528", renewed),
            run_record(ended),
        ]

    world.log.reacting = react
    async with world.client(token_of("support")) as client:
        answer = await client.post("/api/loyalty/sync?wait=30", json={"orgId": ORG, "customerId": "3528"})
    shown = answer.json()
    assert (answer.status_code, shown["status"], shown["success"]) == (200, "completed", True)
    assert shown["refreshes"] == ["contact data", "balance", "verdict"]
    ages = {name: shown["asOf"][name] for name in ("balance", "contactData", "verdict", "points")}
    assert ages == {
        "balance": "2026-01-30T20:21:58.008Z",
        "contactData": "2026-01-30T20:21:58.003Z",
        "verdict": "2026-01-30T20:21:58.008Z",
        "points": "2026-01-30T20:21:58.012Z",
    }
    assert shown["report"]["customer"]["points"] == 480
    assert shown["run"]["answer"] == "matched"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"orgId": ORG, "customerId": "none"}, 404),
        ({"orgId": ORG, "customerId": "a b"}, 422),
        ({"orgId": ORG, "more": 1}, 422),
        ({"orgId": ["x"]}, 422),
        ({}, 422),
    ],
)
async def test_a_sync_that_cannot_be_is_refused(world: World, body: dict[str, Any], status: int) -> None:
    async with manager(world) as client:
        assert (await client.post("/api/loyalty/sync", json=body)).status_code == status
    assert world.log.published == []


async def test_an_org_without_settings_cannot_be_synced_yet(world: World) -> None:
    world.log.write([profile_record("1", a_profile(), org="new_org")])
    async with world.client() as client:
        answer = await client.post("/api/loyalty/sync", json={"orgId": "new_org"})
    assert (answer.status_code, "settings" in answer.json()["error"]) == (409, True)


async def test_without_kafka_nothing_is_said_to_have_been_asked(world: World) -> None:
    world.log.reachable = False
    async with manager(world) as client:
        answer = await client.post("/api/loyalty/sync", json={"orgId": ORG})
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


# Dead letters


async def test_a_vendors_letter_is_read_again_by_one_run_for_all_of_them(world: World) -> None:
    world.log.write([dead_letter_record(b"{}", "one more")])
    letters = world.views.dead_letters(org=ORG)
    async with manager(world) as client:
        for letter in letters:
            path = f"{HERE}/dead-letters/{letter.partition}:{letter.offset}/actions"
            shown = (await client.post(path, json={"action": "retry"})).json()
            assert (shown["status"], shown["decidedBy"]) == ("retry", BY)
        left = (await client.get(f"{HERE}/dead-letters?undecided=true")).json()["items"]
    runs = {RUNS.decode(each.value or b"").data.run for each in world.log.of(topics.RUNS)}
    assert (len(letters), len(runs), left) == (2, 1, [])


async def test_what_is_tried_again_while_a_run_reads_already_is_for_the_next_one(world: World) -> None:
    (letter,) = world.views.dead_letters(org=ORG)
    path = f"{HERE}/dead-letters/{letter.partition}:{letter.offset}/actions"
    async with manager(world) as client:
        for _ in range(2):
            await client.post(path, json={"action": "retry"})
            asked = [RUNS.decode(each.value or b"").data.run for each in world.log.of(topics.RUNS)]
            world.log.write([run_record(RunStarted(asked[-1], RunKind.DAILY, BY))])
    assert len(set(asked)) == 2, "the first one may have read that page before it was corrected"


async def test_what_a_sink_gave_up_goes_nowhere_again(world: World) -> None:
    headers = dead_letters.headers(
        org=ORG, at=AT, stage="firestore", reason="r", exception="Poison", topic="profiles", partition=3, offset=12
    )
    letter = record(topics.DEAD_LETTERS, f"{ORG}:7", b"an old profile", headers=headers)
    world.log.write([letter])
    world.originals[letter.partition, letter.offset] = letter
    path = f"{HERE}/dead-letters/{letter.partition}:{letter.offset}"
    async with manager(world) as client:
        assert (await client.get(path)).json()["remedy"] is None
        answer = await client.post(f"{path}/actions", json={"action": "retry"})
    assert (answer.status_code, world.log.published) == (409, [])
    assert "discard" in answer.json()["detail"]


async def test_a_records_letter_goes_into_its_topic_once_more(world: World) -> None:
    headers = dead_letters.headers(
        org=ORG, at=AT, stage="accounts", reason="r", exception="BadRecord", topic="facts", partition=3, offset=12
    )
    letter = record(topics.DEAD_LETTERS, f"{ORG}:7", b"the original", headers=headers)
    world.log.write([letter])
    path = f"{HERE}/dead-letters/{letter.partition}:{letter.offset}/actions"
    async with manager(world) as client:
        gone = await client.post(path, json={"action": "retry"})
        assert (gone.status_code, world.log.published) == (409, [])
        world.originals[letter.partition, letter.offset] = letter
        answer = await client.post(path, json={"action": "retry", "reason": "fixed"})
    assert answer.json()["status"] == "retry"
    (again,) = world.log.of(topics.FACTS)
    assert (again.key, again.value, again.partition) == (f"{ORG}:7".encode(), b"the original", 3)


async def test_a_record_that_was_said_to_be_tried_again_is(world: World) -> None:
    """Whatever becomes of the letter in the moment between: it may be forgotten with its topic just then."""
    headers = dead_letters.headers(
        org=ORG, at=AT, stage="accounts", reason="r", exception="BadRecord", topic="facts", partition=3, offset=12
    )
    letter = record(topics.DEAD_LETTERS, f"{ORG}:7", b"the original", headers=headers)
    world.log.write([letter])
    world.originals[letter.partition, letter.offset] = letter

    def forget(output: Output) -> Iterable[Input]:
        with contextlib.closing(open_for_writing(world.path)) as connection:
            drop_expired_dead_letters(
                connection, {Place(topics.DEAD_LETTERS.name, letter.partition): letter.offset + 1}
            )
        return ()

    world.log.reacting = forget
    async with manager(world) as client:
        path = f"{HERE}/dead-letters/{letter.partition}:{letter.offset}/actions"
        await client.post(path, json={"action": "retry"})
    assert [output.topic for output in world.log.published] == [topics.AUDIT.name, topics.FACTS.name]


async def test_discarding_takes_a_reason_and_stays_in_the_audit(world: World) -> None:
    (letter,) = world.views.dead_letters(org=ORG)
    path = f"{HERE}/dead-letters/{letter.partition}:{letter.offset}"
    async with manager(world) as client:
        assert (await client.post(f"{path}/actions", json={"action": "discard"})).status_code == 422
        await client.post(f"{path}/actions", json={"action": "discard", "reason": "a test order"})
        shown = (await client.get(path)).json()
    assert (shown["status"], shown["decidedBy"]) == ("discard", BY)
    place = f"{letter.partition}:{letter.offset}"
    assert audited(world) == [("dead_letter.discard", BY, place, "a test order")]
