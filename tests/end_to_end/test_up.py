"""`loyalty up` for vendors at any address: what comes out, where, and how it takes what happens.

The tests share one site and follow each other: later ones break it.
"""

from __future__ import annotations

import json
import os
import signal
from datetime import datetime

import httpx
import pytest

from tests.end_to_end.programs import LOYALTY, Program, alive, eventually
from tests.end_to_end.site import FOREIGN, LIVE, LOCKED, WATCHED, Site

FIGURES = ("totalCustomers", "withAlpineSync", "withCalculatedPoints", "reconciled", "needsReview")
TYPES = {
    "orgId": str,
    "customerId": str,
    "points": int,
    "pointsFromOrders": int,
    "pointsFromAlpine": int,
    "pointsLastCalculated": datetime,
    "tier": str,
    "tierSource": str,
    "loyaltyReconciled": bool,
    "loyaltyDiscrepancy": int,
    "alpineUserId": str,
    "totalSpent": str,
    "currency": str,
    "orderCount": int,
    "verdict": str,
    "needsReview": bool,
    "balanceAsOf": datetime,
    "homeLocationId": str,
    "settingsVersion": int,
    "epoch": int,
    "version": int,
}
OPTIONAL = {"pointsFromAlpine", "loyaltyDiscrepancy", "alpineUserId", "balanceAsOf", "homeLocationId"}
SLACK_SECONDS = 20


def up(site: Site) -> Program:
    assert site.up is not None
    return site.up


@pytest.mark.parametrize("org", [LIVE, WATCHED])
def test_every_profile_equals_the_oracle_although_the_poller_was_killed_while_it_walked(site: Site, org: str) -> None:
    assert site.outcome(f"{org}:daily:first") == "completed"
    assert site.differences(org) == []


@pytest.mark.parametrize("org", [LIVE, WATCHED])
def test_the_figures_are_the_same_on_the_command_line_and_in_the_api(site: Site, org: str) -> None:
    oracle = site.vendors_of(org).oracle()
    wanted = oracle["stats"]
    shown = next(each for each in site.run("status", "--json").json() if each["org"] == org)
    answer = site.get("/api/loyalty/sync", orgId=org)
    assert {name: shown[name] for name in FIGURES} == wanted
    assert answer["success"]
    assert {name: answer["stats"][name] for name in FIGURES} == wanted
    assert answer["stats"]["lastSyncAt"] == shown["lastSyncAt"]


def test_one_customers_report_has_both_sides(site: Site) -> None:
    member = str(site.vendors.about["world"]["sample_member_id"])
    report = site.get("/api/loyalty/sync", orgId=LIVE, customerId=member)["report"]
    assert report["reconciliation"]["calculated"]["points"] == 450
    assert report["reconciliation"]["provider"]["points"] == 475
    assert (report["reconciliation"]["verdict"], report["reconciliation"]["discrepancy"]) == ("matched", 25)
    assert site.run("customer", "show", member, "--org", LIVE, "--json").json() == report


def test_agents_are_answered_beside_the_api(site: Site) -> None:
    member = str(site.vendors.about["world"]["sample_member_id"])
    asked = {"name": "explain_points", "arguments": {"phone_or_customer": member, "org_id": LIVE}}
    assert site.call_tool(asked)["points"] == 475


def test_the_system_page_shows_the_other_roles_and_the_vendors(site: Site) -> None:
    page = site.page("/system", org=LIVE)
    assert [name for name in ("Poller", "Worker", "Firestore export") if name not in page] == []
    assert page.count("Answers") == 2, "Alleaves and Alpine IQ"


def test_documents_have_exactly_the_designs_fields_and_keep_those_of_others(site: Site) -> None:
    customers = site.profiles(LIVE)
    eventually(lambda: len(site.documents()) == len(customers), SLACK_SECONDS)
    documents = {name: fields for name, fields in site.documents().items() if name.startswith(f"{LIVE}_")}
    wrong = []
    for name, fields in documents.items():
        ours = {field: value for field, value in fields.items() if field in TYPES}
        others = {field: value for field, value in fields.items() if field not in TYPES}
        wrong += [
            f"{name}: {field} {value!r}" for field, value in ours.items() if type(value) is not _type(field, value)
        ]
        wrong += [f"{name}: no {field}" for field in TYPES.keys() - OPTIONAL - ours.keys()]
        if others and others != {field: value for field, value in FOREIGN.items() if field != "points"}:
            wrong.append(f"{name}: {others}")
    assert wrong == []
    world = site.vendors.about["world"]
    assert {name for name, fields in documents.items() if "favourites" in fields} == {
        f"{LIVE}_{world['sample_customer_id']}",
        f"{LIVE}_{world['sample_member_id']}",
    }
    assert documents[f"{LIVE}_{world['sample_customer_id']}"]["points"] == 40


def _type(field: str, value: object) -> type:
    return type(value) if TYPES[field] is datetime and isinstance(value, datetime) else TYPES[field]


def test_what_is_exported_on_the_command_line_is_what_firestore_holds(site: Site) -> None:
    documents = site.documents()
    volatile = {"pointsLastCalculated", "balanceAsOf", "epoch", "version"}
    lines = site.run("profiles", "export", "--org", LIVE, "--jsonl").out.splitlines()
    assert len(lines) == len(documents)
    for line in lines:
        exported = json.loads(line)
        customer = exported["customerId"]
        held = documents[f"{LIVE}_{customer}"]
        assert {k: v for k, v in exported.items() if k not in volatile} == {
            k: v for k, v in held.items() if k in TYPES and k not in volatile
        }


def test_entries_are_not_exported_unless_that_is_asked_for(site: Site) -> None:
    from google.cloud.firestore import Client

    client = Client(project=site.project)
    assert list(client.collection_group("entries").limit(1).stream()) == []
    client.close()


def test_each_discrepancy_is_one_cloud_event_for_a_subscriber(site: Site) -> None:
    oracle = site.vendors.oracle()["customers"]
    wanted = {customer for customer, each in oracle.items() if each["verdict"] == "discrepancy"}
    assert len(wanted) == 5
    records = [record for record in site.alerts(LIVE) if json.loads(record.value).get("customer")]
    assert sorted(json.loads(record.value)["customer"] for record in records) == sorted(wanted)
    for record in records:
        alert, headers = json.loads(record.value), {name: value.decode() for name, value in record.headers}
        customer = alert["customer"]
        assert (alert["ours"], alert["provider"]) == (
            oracle[customer]["points_from_orders"],
            oracle[customer]["provider_points"],
        )
        assert record.key.decode() == f"{LIVE}:{customer}"
        assert headers["ce_specversion"] == "1.0"
        assert headers["ce_type"] == "com.loyaltystream.discrepancy.opened"
        assert headers["ce_subject"] == f"customer/{customer}"
        assert headers["ce_source"] == f"/loyalty-stream/{LIVE}"
        assert datetime.fromisoformat(headers["ce_time"])
    assert len({dict(record.headers)["ce_id"] for record in records}) == len(records)


def test_an_org_that_only_observes_exports_nothing_and_alerts_about_nobody(site: Site) -> None:
    assert [name for name in site.documents() if name.startswith(f"{WATCHED}_")] == []
    assert [record for record in site.alerts(WATCHED) if json.loads(record.value).get("customer")] == []
    assert site.standing(WATCHED)["mode"] == "observe"


def test_what_cannot_be_understood_is_kept_as_it_came_with_the_reason(site: Site) -> None:
    records = site.records("dead-letters")
    letters = {f"{record.partition}:{record.offset}": record for record in records}
    listed = site.run("dead-letters", "list", "--json", "--limit", "1000").json()
    assert {letter["place"] for letter in listed} <= letters.keys()
    assert len(listed) == len({(record.partition, record.value) for record in records}), "each content once"
    assert sum(letter["times"] for letter in listed) == len(records)
    assert len(listed) >= 3
    for letter in listed:
        record = letters[letter["place"]]
        headers = {name: value.decode() for name, value in record.headers}
        assert record.value
        assert headers["loyalty.org"] == letter["org"] == WATCHED
        assert headers["__dlq.errors.exception.message"]
        assert headers["__dlq.errors.stage"] == letter["stage"]
        assert letter["reason"]
    place = listed[0]["place"]
    assert site.run("dead-letters", "show", place, "--json").json() == listed[0]
    assert place in site.run("dead-letters", "list").out
    sent = [json.loads(record.value) for record in letters.values() if record.value.startswith(b"{")]
    assert any("id_order" in row or "id_customer" in row for row in sent)


def test_a_wrong_password_at_the_vendor_is_said_and_holds_nobody_else_up(site: Site) -> None:
    up(site).until(lambda: site.outcome(f"{LOCKED}:daily:first") == "failed")
    status = site.run("status").out
    assert "failed in phase orders: Alleaves refuses" in status or "Invalid username or password" in status
    assert "Invalid username or password" in site.runs(LOCKED)[0]["reason"]
    assert "locked: the run failed while reading the orders" in up(site).err
    assert "not the password" not in up(site).err + status
    health = httpx.get(f"{site.endpoints['poll']}/readyz")
    assert (health.status_code, "Invalid username or password" in health.text) == (503, True)
    assert "run.failed" in site.kinds(LOCKED)


def test_live_trade_is_in_the_profiles_after_the_poll_and_all_of_it_after_a_walk(site: Site) -> None:
    customer = site.vendors.about["world"]["sample_customer_id"]
    order = {"customer_id": customer, "total": "100.45"}
    points = site.vendors.ask("alleaves", "order", order)["points_from_orders"]
    assert points == 140
    path = f"/api/v1/orgs/{LIVE}/customers/{customer}"
    up(site).until(lambda: site.get(path)["customer"]["pointsFromOrders"] == points, SLACK_SECONDS)
    kinds = ["new", "edited", "cancelled", "refunded", "moved"]
    changes = site.vendors.ask("alleaves", "trade", {"orders": 60, "kinds": kinds})["changes"]
    assert {change["kind"] for change in changes} == set(kinds)
    for _ in range(2):  # a move that the poller missed ends at the second complete walk
        result = site.run("sync", "--org", LIVE, "--wait", "--json").json()["result"]
    assert site.differences(LIVE) == []
    stats = site.vendors.oracle()["stats"]
    assert (result["with_provider"], result["discrepancy"]) == (stats["withAlpineSync"], stats["needsReview"])


def test_a_run_asked_for_twice_with_one_key_is_one_run(site: Site) -> None:
    words = ("sync", "--org", LIVE, "--wait", "--json", "--idempotency-key", "monday")
    first, again = site.run(*words).json(), site.run(*words).json()
    assert first == again
    assert first["run"] == f"{LIVE}:daily:monday"
    assert [run["id"] for run in site.runs(LIVE)].count(first["run"]) == 1


def test_one_customer_is_synced_at_once(site: Site) -> None:
    world = site.vendors.about["world"]
    asked = site.run("sync", "--org", LIVE, "--customer", str(world["sample_member_id"]), "--wait", "--json").json()
    assert (asked["status"], asked["result"]["verdict"]) == ("completed", "matched")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ("sync", "--org", "other"),
            2,
            "there is no org 'other' in the configuration. There are: shop, watched, locked",
        ),
        (("sync",), 2, "several orgs are configured: name one with --org"),
        (("sync", "--org", LIVE, "--customer", "a b"), 2, "customer id 'a b' is not"),
        (("sync", "--org", LIVE, "--customer", "999999", "--wait"), 1, "customer '999999' of org 'shop' is not known"),
        (("customer", "show", "999999", "--org", LIVE), 1, "no customer 999999 is known"),
        (("dead-letters", "show", "0:999999"), 1, "there is no dead letter at 0:999999"),
        (("up",), 2, "is in use by the process"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_right_exit_code(
    site: Site, words: tuple[str, ...], code: int, said: str
) -> None:
    before = site.endpoints
    ended = site.run(*words)
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert site.endpoints == before


def test_topics_are_as_they_should_be(site: Site) -> None:
    assert site.run("topics", "check").out == "every topic is as it should be\n"


def test_people_get_tables_with_times_and_money_as_they_write_them(site: Site) -> None:
    customer = str(site.vendors.about["world"]["sample_customer_id"])
    shown = site.run("customer", "show", customer, "--org", LIVE).out
    assert "39.55" in shown
    assert "order added" in shown
    assert "{" not in shown
    status = site.run("status").out
    assert "need review" in status
    assert "{" not in status


def test_a_role_that_is_killed_is_started_again_and_nothing_is_lost(site: Site) -> None:
    worker = up(site).child("stream.cli worker")
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    site.vendors.ask("alleaves", "trade", {"orders": 10, "kinds": ["new"]})
    site.run("sync", "--org", LIVE, "--wait", "--json").json()
    assert site.differences(LIVE) == []
    assert "a role ended and is started again" in up(site).err


def test_vendors_that_are_down_change_no_verdict_and_no_points_and_are_told_once(site: Site) -> None:
    before = {org: site.standing(org) for org in (LIVE, WATCHED)}
    opened = site.kinds(LIVE).count("discrepancy.opened")
    site.vendors.ask("alpine_iq", "control", {"outage": True})
    site.others.ask("alleaves", "control", {"outage": True})
    no_balances, no_orders = (program.ended(120) for program in [site.sync(LIVE), site.sync(WATCHED)])
    assert (no_balances.code, "failed in phase balances" in no_balances.err) == (1, True), no_balances.err
    assert (no_orders.code, "failed in phase orders" in no_orders.err) == (1, True), no_orders.err
    during = {org: site.standing(org) for org in (LIVE, WATCHED)}
    assert {org: each["verdicts"] for org, each in during.items()} == {
        o: each["verdicts"] for o, each in before.items()
    }
    assert {org: each["stats"] for org, each in during.items()} == {o: each["stats"] for o, each in before.items()}
    assert site.differences(WATCHED) == []
    assert during[LIVE]["provider"]["available"] is False
    assert httpx.get(f"{site.endpoints['poll']}/readyz").json()["reasons"]["point of sale"].count(f"{WATCHED}: ") == 1
    site.vendors.ask("alpine_iq", "control", {"outage": False})
    site.others.ask("alleaves", "control", {"outage": False})
    assert site.sync(LIVE).ended(60).code == 0
    kinds = site.kinds(LIVE)
    assert (kinds.count("provider.unavailable"), kinds.count("provider.recovered")) == (1, 1)
    assert kinds.count("discrepancy.opened") == opened
    assert site.standing(LIVE)["provider"]["available"] is True


def test_killing_the_parent_leaves_nobody_behind(site: Site) -> None:
    had = up(site).children
    assert len(had) == 4
    assert up(site).stop(signal.SIGKILL).code == -signal.SIGKILL
    eventually(lambda: not any(alive(pid) for pid in had), 5)


def test_starting_again_goes_on_with_what_is_there_and_with_what_was_put_right(site: Site) -> None:
    figures = site.vendors.oracle()["stats"]
    site.set_password(site.vendors.about["alleaves"]["password"])
    site.start()
    shown = site.standing(LIVE)["stats"]
    assert {name: shown[name] for name in FIGURES} == figures
    assert [run["id"] for run in site.runs(LIVE)].count(f"{LIVE}:daily:first") == 1
    up(site).until(lambda: "completed" in {run["outcome"] for run in site.runs(LOCKED)}, 60)
    assert site.differences(LOCKED) == []
    assert "locked: no run has succeeded yet, trying again" in up(site).err


def test_ctrl_c_in_the_middle_of_a_run_stops_everything_by_itself(site: Site) -> None:
    had = up(site).children
    run = site.sync(LIVE)
    up(site).until(lambda: site.runs(LIVE)[0]["outcome"] is None)
    ended = up(site).stop(signal.SIGINT, seconds=120)
    assert ended.code == 130, ended.err
    assert "Traceback" not in ended.err
    assert "had to be killed" not in ended.err
    assert [line for pid, line in had.items() if alive(pid)] == []
    assert not (site.folder / "data" / "endpoints.json").exists()
    run.stop(signal.SIGTERM)


def test_sigterm_while_it_starts_is_a_clean_end_too(site: Site) -> None:
    program = Program(*LOYALTY, "up", folder=site.folder / "output", more=site.with_file)
    program.until(lambda: program.child("stream.cli worker"))
    had = program.children
    ended = program.stop(signal.SIGTERM)
    assert ended.code == 0, ended.err
    assert [line for pid, line in had.items() if alive(pid)] == []


def test_without_anything_running_commands_say_what_is_missing(site: Site) -> None:
    kafka = "127.0.0.1:1"
    site.environment["LOYALTY_KAFKA__BOOTSTRAP"] = kafka
    try:
        for words in (("sync", "--org", LIVE), ("up",), ("worker",), ("topics", "check")):
            ended = site.run(*words)
            assert (ended.code, kafka in ended.err) == (4, True), (words, ended.err)
    finally:
        del site.environment["LOYALTY_KAFKA__BOOTSTRAP"]
