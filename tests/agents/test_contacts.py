"""Joining what the point of sale and the provider know by: who answers to what, who is missed, who is shared."""

from __future__ import annotations

import pytest

from stream.contracts.facts import LookUpEmpty, LookUpFailed
from stream.contracts.runs import RunKind
from tests.agents.builders import FIRST, Member, Shop, code, drop, member, only, settings

HOUR = 3_600_000


async def sync(shop: Shop, customer: str, run: str) -> None:
    """Ask for one customer; the look-up's answer is the test's to give."""
    shop.request(RunKind.CUSTOMER, run, customer)
    await shop.settle()


async def test_a_balance_reaches_the_customer_that_holds_its_identity() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    await shop.reconcile([Member("contact-a", (code("a"),), 104, "Gold")])
    profile = shop.profiles()["a"]
    assert (profile.points_from_alpine, profile.points, profile.verdict) == (104, 104, "matched")
    assert (profile.alpine_user_id, profile.tier, profile.tier_source) == ("contact-a", "Gold", "alpine_iq")
    assert profile.discrepancy == 4


@pytest.mark.parametrize(
    ("answers", "believed", "because"),
    [
        ({"code:x": 100, "phone:x": 300, "email:x": 500}, 100, "the code is the best evidence"),
        ({"phone:x": 300, "email:x": 500}, 300, "a phone is better than an e-mail"),
        ({"email:x": 500}, 500, "an e-mail is better than nothing"),
        ({}, None, "nobody answered"),
    ],
)
async def test_the_best_identity_that_has_an_answer_is_believed(
    answers: dict[str, int], believed: int | None, because: str
) -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000, "email:x", "code:x", "phone:x")
    await shop.reconcile([Member(f"contact-{identity}", (identity,), points) for identity, points in answers.items()])
    assert shop.profiles()["a"].points_from_alpine == believed, because


async def test_an_identity_that_two_customers_share_is_ambiguous_for_both() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000, "phone:x")
    shop.enrol("b", 10_000, "phone:x")
    await shop.reconcile([Member("contact", ("phone:x",), 500)])
    assert shop.verdicts() == {"a": "ambiguous", "b": "ambiguous"}
    assert [p.points_from_alpine for p in shop.profiles().values()] == [None, None]
    assert shop.alerts() == []


async def test_an_identity_that_two_contacts_answer_to_is_ambiguous() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000, "phone:x")
    await shop.reconcile([Member("one", ("phone:x",), 100), Member("two", ("phone:x",), 100)])
    assert shop.verdicts() == {"a": "ambiguous"}


async def test_one_sweep_that_sees_one_contact_of_several_does_not_say_whose_an_identity_is_and_two_do() -> None:
    """Rows shift between pages: what answered to the identity yesterday may have slipped out."""
    shop = await Shop().open()
    shop.enrol("a", 10_000, "phone:x")
    one, two = Member("one", ("phone:x",), 100), Member("two", ("phone:x",), 900)
    reached = []
    for members in ([one, two], [two], [one, two], [one], [one], [two]):
        await shop.reconcile(members)
        reached.append(shop.verdicts()["a"])
    assert reached == ["ambiguous"] * 4 + ["matched", "discrepancy"], "one that takes another's place is believed"


async def test_an_identity_is_no_longer_ambiguous_once_the_other_holder_gave_it_up() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000, "phone:x")
    shop.enrol("b", 10_000, "phone:x")
    members = [Member("contact", ("phone:x",), 100)]
    await shop.reconcile(members)
    shop.observe_customer("b")
    await shop.reconcile(members)
    assert shop.verdicts() == {"a": "matched", "b": "unknown"}


async def test_an_identity_given_up_takes_balance_and_verdict_with_it() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    await shop.reconcile([member("a", 100)])
    shop.observe_customer("a", "code:other")
    await shop.settle()
    profile = shop.profiles()["a"]
    assert (profile.points_from_alpine, profile.verdict, profile.points) == (None, "unknown", 100)


async def test_an_identity_passed_on_to_another_customer_brings_the_balance_there() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000, "phone:x")
    shop.enrol("b", 10_000, "phone:y")
    members = [Member("contact", ("phone:x",), 100)]
    await shop.reconcile(members)
    shop.observe_customer("a")
    shop.observe_customer("b", "phone:x")
    await shop.reconcile(members)
    assert {customer: p.points_from_alpine for customer, p in shop.profiles().items()} == {"a": None, "b": 100}


async def test_one_sweep_that_lacks_a_customer_proves_nothing_and_two_in_a_row_do() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    seen = []
    for members in ([member("a", 100)], [], [], [member("a", 100)]):
        await shop.reconcile(members)
        seen.append((shop.verdicts()["a"], shop.profiles()["a"].points_from_alpine))
    assert seen == [("matched", 100), ("matched", 100), ("not_enrolled", None), ("matched", 100)]


async def test_a_balance_that_a_sweep_missed_is_compared_as_of_when_it_was_seen() -> None:
    """What was bought since is not in it, however short the settle window."""
    shop = await Shop().open(settings(settle_seconds=3_600))
    shop.enrol("a", 10_000)
    shop.enrol("b", 10_000)
    members = [member("a", 100), member("b", 100)]
    await shop.reconcile(members)
    shop.now += 20 * HOUR
    shop.observe_order("a", "a-2", 5_000, created_at=shop.now)
    shop.observe_order("b", "b-2", 5_000, created_at=shop.now)
    shop.now += 4 * HOUR
    await shop.reconcile(members[1:])
    assert shop.verdicts() == {"a": "timing", "b": "discrepancy"}
    assert [alert.customer for alert in shop.alerts()] == ["b"]


async def test_a_sweep_in_between_starts_the_count_of_misses_anew() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    seen = []
    for members in ([], [member("a", 100)], [], [], []):
        await shop.reconcile(members)
        seen.append(shop.verdicts()["a"])
    assert seen == ["unknown", "matched", "matched", "not_enrolled", "not_enrolled"]
    assert len(shop.facts("BalanceAbsent")) == 1, "said once"


async def test_a_link_made_after_the_sweep_began_is_not_judged_by_it() -> None:
    shop = await Shop().open()
    shop.observe_order("a", "1")
    await shop.settle()
    shop.walk(FIRST)
    await shop.settle()
    sweep = shop.sweep_records(FIRST, [])
    shop.publish(sweep[: shop.partitions])
    shop.observe_customer("a", code("a"))
    await shop.settle()
    shop.publish(sweep[shop.partitions :])
    await shop.settle()
    assert shop.facts("BalanceMissed", "BalanceAbsent") == []
    assert len(shop.said("RunCompleted")) == 1


async def test_a_new_holder_of_an_identity_is_not_blamed_for_what_the_former_one_missed() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000, "phone:x")
    shop.enrol("b", 10_000, "phone:y")
    await shop.reconcile([])
    shop.observe_customer("a")
    shop.observe_customer("b", "phone:x")
    await shop.reconcile([])
    assert shop.verdicts() == {"a": "unknown", "b": "unknown"}
    await shop.reconcile([])
    assert shop.verdicts() == {"a": "unknown", "b": "not_enrolled"}


async def test_hidden_points_are_unknown_and_not_zero() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    await shop.reconcile([member("a", None)])
    profile = shop.profiles()["a"]
    assert (profile.verdict, profile.points_from_alpine, profile.points) == ("unknown", None, 100)


async def test_a_member_that_is_nobodys_is_ignored() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    await shop.reconcile([member("a", 100), member("stranger", 900)])
    assert shop.verdicts() == {"a": "matched"}
    assert shop.dead_letters() == []


async def test_what_did_not_change_is_not_said_again() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    for _ in range(3):
        await shop.reconcile([member("a", 100)])
    assert len(shop.facts("BalanceMatched")) == 1
    assert shop.profiles()["a"].balance_as_of == shop.identities("SweepStarted")[-1].started_at


async def test_a_link_that_was_lost_is_sent_again_before_the_run_goes_on() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    for partition in range(shop.partitions):
        await shop.worker.step_one("accounts", partition)
    assert drop(shop.broker, "identities", lambda record: b"ContactLinked" in (record.value or b"")) == 1
    await shop.reconcile([member("a", 100)])
    assert only([f for f in shop.facts("LinksRequested") if f.resend][:1]).attempt == 2
    assert shop.verdicts() == {"a": "matched"}
    assert len(shop.said("RunCompleted")) == 1


async def test_a_link_whose_end_was_lost_is_forgotten_before_the_run_goes_on() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000, "phone:x")
    shop.enrol("b", 10_000, "phone:y")
    await shop.settle()
    shop.observe_customer("a", "phone:z")
    shop.observe_customer("b", "phone:x")
    for partition in range(shop.partitions):
        await shop.worker.step_one("accounts", partition)
    assert drop(shop.broker, "identities", lambda record: b"ContactUnlinked" in (record.value or b"")) == 2
    await shop.reconcile([Member("contact", ("phone:x",), 100)])
    assert len(shop.said("RunCompleted")) == 1, "a link too many must not hold up the run"
    assert shop.verdicts()["b"] == "matched", "and not make the identity ambiguous"


async def test_a_look_up_is_answered_at_once_without_a_sweep() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    await sync(shop, "a", "one")
    assert [type(c).__name__ for c in shop.commands()] == ["SweepOrders", "LookUpBalance"]
    shop.look_up("one", "a", member("a", 300))
    await shop.settle()
    assert shop.verdicts() == {"a": "discrepancy"}
    assert only(shop.said("CustomerSynced")).outcome == "discrepancy"
    assert only(shop.said("RunCompleted")).run == "one"
    assert only(shop.alerts()).run == "one"


async def test_a_look_up_answered_before_the_link_has_arrived_waits_for_it() -> None:
    shop = await Shop().open()
    shop.observe_order("a", "1", 10_000)
    await sync(shop, "a", "one")
    shop.look_up("one", "a", member("a", 100))
    await shop.settle()
    assert shop.said("CustomerSynced") == []
    shop.observe_customer("a", code("a"))
    await shop.settle()
    assert only(shop.said("CustomerSynced")).outcome == "matched"
    assert shop.verdicts() == {"a": "matched"}


async def test_an_answer_does_not_wait_for_a_link_beyond_the_next_sweep() -> None:
    """The customer gave the identity up meanwhile; when it is taken again, the look-up has long ended."""
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    await shop.reconcile([])
    await sync(shop, "a", "one")
    shop.look_up("one", "a", Member("contact", ("phone:x",), 900))
    await shop.settle()
    await shop.reconcile([Member("contact", ("phone:x",), 900)])
    shop.observe_customer("a", code("a"), "phone:x")
    await shop.settle()
    assert shop.said("CustomerSynced") == []
    assert shop.facts("BalanceMatched") == []
    shop.observe_customer("a", code("a"))
    await shop.reconcile([])
    assert not any(b"phone:x" in key for key in shop.state("contacts")), "nobody's, and no longer the provider's"


async def test_a_look_up_of_one_customer_takes_no_verdict_on_another_that_shares_the_identity() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000, "phone:x")
    shop.enrol("b", 10_000, "code:b", "phone:x")
    await shop.reconcile([member("b", 100)])
    await sync(shop, "a", "one")
    shop.look_up("one", "a", Member("contact", ("phone:x",), 500))
    await shop.settle()
    assert [s.outcome for s in shop.said("CustomerSynced")] == ["ambiguous"]
    assert shop.verdicts() == {"a": "ambiguous", "b": "matched"}


async def test_a_look_up_finds_an_identity_as_ambiguous_as_the_last_sweep_did() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000, "phone:x")
    await shop.reconcile([Member("one", ("phone:x",), 100), Member("two", ("phone:x",), 900)])
    await sync(shop, "a", "sync")
    shop.look_up("sync", "a", Member("one", ("phone:x",), 100))
    await shop.settle()
    assert shop.verdicts() == {"a": "ambiguous"}


async def test_a_look_up_that_finds_nothing_says_not_enrolled() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    await shop.reconcile([member("a", 100)])
    await sync(shop, "a", "one")
    shop.tell("a", LookUpEmpty("one", shop.tick()))
    await shop.settle()
    assert shop.verdicts() == {"a": "not_enrolled"}
    assert only(shop.said("CustomerSynced")).outcome == "not_enrolled"


async def test_a_sweep_that_sees_a_customer_again_outweighs_an_earlier_empty_look_up() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    await shop.reconcile([member("a", 100)])
    await sync(shop, "a", "one")
    shop.tell("a", LookUpEmpty("one", shop.tick()))
    await shop.reconcile([member("a", 100)])
    assert shop.verdicts() == {"a": "matched"}
    assert shop.profiles()["a"].points_from_alpine == 100


async def test_a_look_up_of_somebody_nobody_knows_opens_no_account() -> None:
    shop = await Shop().open()
    await sync(shop, "nobody", "one")
    shop.tell("nobody", LookUpEmpty("one", shop.tick()))
    await shop.settle()
    assert shop.profiles() == {}
    assert only(shop.said("RunFailed")).run == "one"


async def test_nothing_is_concluded_from_a_look_up_that_failed() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    await shop.reconcile([member("a", 100)])
    await sync(shop, "a", "one")
    shop.tell("a", LookUpFailed("one", shop.tick(), "HTTP 503"))
    await shop.settle()
    assert shop.verdicts() == {"a": "matched"}
    assert only(shop.said("RunFailed")).reason == "HTTP 503"


@pytest.mark.parametrize("first", ["code:a", "phone:x"])
async def test_a_look_up_answered_under_several_identities_ends_with_the_best_ones_verdict(first: str) -> None:
    """Partitions answer in any order; the phone, shared with b, must not decide over the code."""
    shop = await Shop().open()
    shop.enrol("a", 10_000, "code:a", "phone:x")
    shop.enrol("b", 10_000, "phone:x")
    await sync(shop, "a", "one")
    for identity in sorted(["code:a", "phone:x"], key=lambda identity: identity != first):
        shop.look_up("one", "a", Member("contact", (identity,), 100))
        await shop.settle()
    assert shop.verdicts()["a"] == "matched"
    assert shop.alerts() == []


async def test_a_row_of_an_earlier_sweep_that_arrives_late_does_not_undo_that_this_one_saw_it() -> None:
    """A producer that was paused writes what it had read, while the next one sweeps."""
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    late = shop.row_records(member("a", 90), FIRST, 1)
    await shop.reconcile([member("a", 100)])
    run = shop.request(RunKind.BALANCES)
    await shop.settle()
    marks = -shop.partitions - 1
    sweep = shop.sweep_records(run, [member("a", 104)])
    shop.publish([*sweep[:marks], *late, *sweep[marks:]])
    await shop.settle()
    assert shop.facts("BalanceMissed") == []
    assert shop.profiles()["a"].points_from_alpine == 104


async def test_a_verdict_is_no_older_than_the_sweep_whose_links_came_late() -> None:
    shop = await Shop(partitions=1).open()
    shop.enrol("a", 10_000)
    await shop.settle()
    shop.walk(FIRST)
    shop.now += HOUR
    shop.sweep(FIRST, [member("a", 200)])
    await shop.settle()
    assert only(list(shop.cases().values())).opened_at == shop.now


async def test_a_look_up_during_a_sweep_does_not_count_as_being_seen_by_it() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    await shop.reconcile([member("a", 100)])
    await shop.reconcile([])
    await sync(shop, "a", "one")
    shop.look_up("one", "a", member("a", 100))
    await shop.reconcile([])
    assert shop.verdicts() == {"a": "matched"}, "found in between: missed once, not twice"


async def test_barriers_of_ended_runs_are_not_kept() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    for _ in range(6):
        await shop.reconcile([member("a", 100)])
    for agent in ("accounts", "contacts"):
        barriers = [key for key in shop.state(agent) if key.startswith(b"b|")]
        assert len(barriers) <= shop.partitions, agent


async def test_members_that_are_gone_and_nobodys_are_not_kept() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    await shop.reconcile([member("a", 100)])
    before = len(shop.state("contacts"))
    await shop.reconcile([member("a", 100), *(member(f"stranger-{n}", 5) for n in range(30))])
    await shop.reconcile([member("a", 100)])
    assert len(shop.state("contacts")) == before
