"""What people's commands answer from the views: runs, cases, orgs, settings, dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stream.bootstrap import asking, browsing
from stream.bootstrap.browsing import (
    case,
    cases,
    dead_letter_reasons,
    letters_to_decide,
    notify_list,
    orgs,
    run,
    runs,
)
from stream.bootstrap.looking import status
from stream.bootstrap.ruling import mode_change, settings_difference, settings_in_force
from stream.bootstrap.watching import watch_run
from stream.contracts import topics
from stream.contracts.audit import AUDIT, Action, Audited
from stream.contracts.deliveries import DELIVERIES, Delivery, MessageKind, Outcome, delivery_key
from stream.contracts.runs import (
    OrdersSweepProgress,
    Phase,
    RunCompleted,
    RunFailed,
    RunKind,
    RunRequested,
    RunStarted,
    Tally,
)
from stream.contracts.settings import Mode
from stream.errors import BadRecord, LoyaltyError, Unreachable
from stream.ops.progress import silent
from stream.settings import Configuration
from stream.sinks.views.read import Views
from tests.sinks.records import AT, ORG, dead_letter_record, record, run_record
from tests.sinks.views_file import views_of
from tests.web.world import OTHER, RUN, world_of

NEXT = f"{ORG}:daily:2"


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    world_of(tmp_path)
    return configured(tmp_path)


def configured(folder: Path, **settings: object) -> Configuration:
    return Configuration.model_validate({"data_dir": folder, "org": [{"id": ORG, **settings}]})


def happens(configuration: Configuration, *records: Any) -> None:
    views_of(configuration.data_dir / "views.db", records).close()


async def test_runs_are_listed_and_shown(configuration: Configuration) -> None:
    assert [each["id"] for each in await runs(configuration, org=ORG, limit=5)] == [RUN]
    shown = await run(configuration, run=RUN)
    assert shown is not None
    assert (shown["outcome"], shown["phasesMs"]) == ("completed", {"orders": 9})
    assert await run(configuration, run="x") is None


async def test_cases_are_listed_and_shown_by_their_id(configuration: Configuration) -> None:
    (listed,) = await cases(configuration, org=ORG, state=None, resolved=False, assigned_to=None, limit=5)
    assert await case(configuration, case=f"{ORG}:7:1") == listed
    assert await cases(configuration, org=ORG, state=None, resolved=True, assigned_to=None, limit=5) == []
    for unknown in (f"{ORG}:7:2", f"{ORG}:7", "x", "", f"{ORG}:7:²"):
        assert await case(configuration, case=unknown) is None


async def test_every_org_is_listed_whether_configured_or_known(tmp_path: Path) -> None:
    world_of(tmp_path)
    configuration = Configuration.model_validate({"data_dir": tmp_path, "org": [{"id": ORG}, {"id": "a_new_one"}]})
    listed = {each["org"]: (each["mode"], each["totalCustomers"]) for each in await orgs(configuration)}
    assert listed == {ORG: ("observe", 3), OTHER: ("observe", 1), "a_new_one": (None, 0)}


# Watching


async def following(configuration: Configuration, **which: Any) -> list[Mapping[str, Any]]:
    asked = {"org": ORG, "run": None, "upcoming": False} | which
    return [dict(snapshot) async for snapshot in watch_run(configuration, **asked)]


async def test_the_last_run_is_watched_where_none_is_under_way(configuration: Configuration) -> None:
    (snapshot,) = await following(configuration)
    assert (snapshot["id"], snapshot["outcome"]) == (RUN, "completed")
    assert snapshot["stats"]["totalCustomers"] == 3


@pytest.mark.parametrize("which", [{"run": NEXT, "org": None}, {"upcoming": True}])
async def test_a_run_that_begins_is_followed_to_its_end(configuration: Configuration, which: dict[str, object]) -> None:
    seen: list[Mapping[str, object]] = []

    async def follow() -> None:
        async for snapshot in watch_run(configuration, **({"org": ORG, "run": None, "upcoming": False} | which)):  # type: ignore[arg-type]
            seen.append(snapshot)

    async def told(count: int) -> None:
        async with asyncio.timeout(10):
            while len(seen) < count:
                await asyncio.sleep(0.01)

    watching = asyncio.create_task(follow())
    await asyncio.sleep(0)
    for count, body in enumerate(
        [
            RunRequested(NEXT, RunKind.DAILY, "cli:jane"),
            RunStarted(NEXT, RunKind.DAILY, "cli:jane"),
            OrdersSweepProgress(NEXT, 1, 1200, 800),
            RunCompleted(NEXT, RunKind.DAILY, AT, AT + 9, Tally(customers=3), {"orders": 9}),
        ],
        1,
    ):
        happens(configuration, run_record(body))
        await told(count)
    await asyncio.wait_for(watching, 10)
    assert [(each["phase"], each["outcome"], each["orders"]) for each in seen] == [
        ("queued", None, None), ("orders", None, None), ("orders", None, 1200), ("done", "completed", 1200),
    ]  # fmt: skip


async def test_the_run_under_way_is_watched_rather_than_one_that_waits(configuration: Configuration) -> None:
    happens(configuration, run_record(RunStarted(NEXT, RunKind.DAILY, "x"), AT + 4))
    happens(configuration, run_record(RunRequested(f"{ORG}:daily:3", RunKind.DAILY, "x"), AT + 5))
    happens(configuration, run_record(RunStarted(f"{ORG}:customer:7:1", RunKind.CUSTOMER, "x", "7"), AT + 6))
    first = await anext(watch_run(configuration, org=ORG, run=None, upcoming=False))
    assert first["id"] == NEXT


async def test_a_run_that_failed_says_so_in_its_last_line(configuration: Configuration) -> None:
    happens(configuration, run_record(RunFailed(NEXT, RunKind.DAILY, Phase.ORDERS, "HTTP 503", AT, AT + 9)))
    snapshots = await following(configuration, run=NEXT)
    assert [(each["outcome"], each["reason"]) for each in snapshots] == [("failed", "HTTP 503")]


async def test_a_run_that_nobody_knows_is_an_error(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.bootstrap.watching.APPEAR_SECONDS", 0.05)
    with pytest.raises(LoyaltyError, match="no run x is known"):
        await following(configuration, run="x")
    with pytest.raises(LoyaltyError, match="org other_brand has had no run yet"):
        await following(configuration, org=OTHER)


async def test_without_views_every_command_says_what_to_start(tmp_path: Path) -> None:
    for asked in (runs(configured(tmp_path), org=None, limit=1), orgs(configured(tmp_path))):
        with pytest.raises(Unreachable, match="start `loyalty web`"):
            await asked


# Settings


async def test_the_settings_in_force_are_shown_with_their_version(configuration: Configuration) -> None:
    found = await settings_in_force(configuration, org=ORG)
    assert found is not None
    assert (found["version"], found["settings"]["tiers"][1]["threshold"]) == (1, 500)
    assert await settings_in_force(configuration, org="a_new_one") is None


async def test_the_file_is_compared_setting_by_setting(tmp_path: Path) -> None:
    world_of(tmp_path)
    tiers = [
        {"id": "bronze", "name": "Bronze", "threshold": 0, "color": "#CD7F32"},
        {"id": "silver", "name": "Silver", "threshold": 450, "color": "#C0C0C0"},
        {"id": "gold", "name": "Gold", "threshold": 1000, "color": "#FFD700"},
    ]
    wanted = configured(tmp_path, time_zone="UTC", mode="live", settings={"tiers": tiers, "tolerance_percent": "20"})
    found = await settings_difference(wanted, org=ORG)
    assert found["version"] == 1
    assert {change["setting"]: (change["inForce"], change["file"]) for change in found["changes"]} == {
        "tiers.silver.threshold": (500, 450),
        "tolerance.percent": ("10", "20"),
        "mode": ("observe", "live"),
    }
    assert (found["effect"]["customers"], found["effect"]["complete"]) == (3, True)
    assert found["effect"]["discrepanciesVanish"] == 1


@pytest.mark.parametrize(
    ("wanted", "changed"),
    [
        ({"settings": {"daily_at": "03:00"}}, "schedule.daily_at"),
        ({"settings": {"intraday_minutes": 60}}, "schedule.intraday_minutes"),
        ({"time_zone": "Europe/Rome"}, "time_zone"),
        ({"mode": "live"}, "mode"),
    ],
)
async def test_what_touches_no_rule_is_shown_without_looking_at_customers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any], changed: str
) -> None:
    world_of(tmp_path)
    looked: list[str] = []
    monkeypatch.setattr(Views, "compared", lambda _, org: looked.append(org))
    found = await settings_difference(configured(tmp_path, **({"time_zone": "UTC"} | wanted)), org=ORG)
    assert [change["setting"] for change in found["changes"]] == [changed]
    assert (found["effect"], looked) == (None, [])


async def test_settings_that_the_rules_refuse_are_not_compared(tmp_path: Path) -> None:
    world_of(tmp_path)
    with pytest.raises(BadRecord, match=r"cases.reminds_after_hours is 9999999, allowed: 0 to 8760"):
        await settings_difference(configured(tmp_path, settings={"case_reminds_after_hours": 9_999_999}), org=ORG)


async def test_a_file_that_says_what_is_in_force_changes_nothing(tmp_path: Path) -> None:
    world_of(tmp_path)
    found = await settings_difference(configured(tmp_path, time_zone="UTC"), org=ORG)
    assert (found["changes"], found["effect"]) == ([], None)


async def test_a_change_of_mode_says_whom_it_concerns(tmp_path: Path) -> None:
    world_of(tmp_path)
    discord = {"discord": [{"url": "https://discord.example/hook"}]}
    assert await mode_change(configured(tmp_path, notify=discord), org=ORG, mode=Mode.LIVE) == {
        "org": ORG, "mode": "observe", "wanted": "live", "version": 1, "customers": 3, "liveCases": 1,
        "exports": False, "channels": 1, "file": "observe",
    }  # fmt: skip
    with pytest.raises(LoyaltyError, match="has no settings yet"):
        await mode_change(configured(tmp_path), org="a_new_one", mode=Mode.LIVE)


# Dead letters


async def test_dead_letters_are_chosen_by_place_or_reason_and_counted(configuration: Configuration) -> None:
    happens(configuration, *(dead_letter_record(b"%d" % n, "Total is odd") for n in range(2)))
    counted = await dead_letter_reasons(configuration, org=None)
    assert [(each["org"], each["reason"], each["count"]) for each in counted] == [
        (ORG, "Total is odd", 2), (ORG, "total is missing", 1),
    ]  # fmt: skip
    odd = await letters_to_decide(configuration, org=ORG, places=[], reason="total is odd")
    assert [letter["reason"] for letter in odd] == ["Total is odd"] * 2
    place = odd[0]["place"]
    both = await letters_to_decide(configuration, org=None, places=[place], reason="total")
    assert len(both) == 3
    for org, unknown in ((None, "7:7"), (OTHER, place)):
        with pytest.raises(LoyaltyError, match=f"no dead letter at {unknown}"):
            await letters_to_decide(configuration, org=org, places=[unknown], reason=None)


async def test_the_standing_counts_the_dead_letters_that_nobody_has_decided_on(configuration: Configuration) -> None:
    happens(configuration, *(dead_letter_record(b"%d" % n, "Total is odd") for n in range(2)))
    place = (await letters_to_decide(configuration, org=ORG, places=[], reason="odd"))[0]["place"]
    before = await _undecided(configuration)
    with browsing.views_at(configuration) as views:
        (letter,) = [each for each in views.dead_letters() if f"{each.partition}:{each.offset}" == place]
    entry = Audited(
        id="1", action=Action.LETTER_DISCARDED, actor="cli:ada", target=str(place), reason="a test",
        detail={"content": letter.content, "through": str(letter.last_offset)},
    )  # fmt: skip
    happens(configuration, record(topics.AUDIT, ORG, AUDIT.encode(entry, org=ORG, at=AT, source="cli")))
    assert (before, await _undecided(configuration)) == (3, 2)


async def _undecided(configuration: Configuration) -> object:
    return next(standing["deadLetters"] for standing in await status(configuration) if standing["org"] == ORG)


async def test_a_sync_needs_kafka(configuration: Configuration) -> None:
    with pytest.raises(Unreachable, match="no Kafka"):
        await asking.sync(configuration, org=ORG, customer=None, wait=False, key=None, progress=silent)


# Messages


async def test_messages_are_listed_newest_first_and_those_that_nobody_has(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing, "DELIVERIES_AT_ONCE", 2)
    outcomes = ["delivered", "paused", "delivered", "given_up", "delivered"]
    happens(configuration, *(_delivery(f"n-{number}", Outcome(each)) for number, each in enumerate(outcomes)))

    async def listed(**asked: Any) -> list[str]:
        found = await notify_list(configuration, org=ORG, **({"undelivered": False, "limit": 9} | asked))
        return [each["message"] for each in found if each["message"].startswith("n-")]

    assert await listed() == ["n-4", "n-3", "n-2", "n-1", "n-0"]
    assert await listed(undelivered=True) == ["n-3", "n-1"]
    assert await listed(undelivered=True, limit=1) == ["n-3"]


def _delivery(message: str, outcome: Outcome) -> Any:
    at = AT + 10_000 + int(message[-1])
    body = Delivery(
        message=message, kind=MessageKind.ALERTS, channel="email", outcome=outcome, title="t", made_at=at, last_at=at
    )
    key = delivery_key(ORG, message, "email").decode()
    return record(topics.DELIVERIES, key, DELIVERIES.encode(body, org=ORG, at=at, source="notify"))
