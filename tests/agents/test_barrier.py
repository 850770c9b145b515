"""Verdicts change only when both sides are known to be complete: markers of all partitions, each counted once."""

from __future__ import annotations

import pytest

from stream.contracts.facts import FACTS, SweepSeen
from stream.contracts.runs import Tally
from tests.agents.builders import FIRST, ORG, Member, Shop, code, member, only

N = 4


async def joined(shop: Shop, partition: int, attempt: int = 1, event_id: str = "") -> None:
    """Contacts partition `partition` says that it has joined the sweep."""
    body = SweepSeen(FIRST, attempt, partition, N, shop.now)
    shop.publish(shop.everywhere(FACTS, "facts", body, event_id or f"{attempt}-{partition}"))
    await shop.settle()


async def with_balance(points: int) -> Shop:
    """A customer whose balance is known and whose run waits for contacts: what they say is up to the test."""
    shop = await Shop(N).open()
    shop.enrol("a", 10_000)
    await shop.settle()
    shop.walk(FIRST)
    shop.publish(shop.sweep_records(FIRST, [])[:N])
    shop.publish(shop.row_records(member("a", points), FIRST, 1))
    await shop.settle()
    return shop


async def test_between_runs_points_move_and_verdicts_cases_and_alerts_do_not() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    await shop.reconcile([member("a", 100)])
    shop.observe_order("a", "2", 90_000)
    await shop.settle()
    profile = shop.profiles()["a"]
    assert (profile.points_from_orders, profile.discrepancy) == (1_000, -900)
    assert (profile.verdict, shop.cases(), shop.alerts()) == ("matched", {}, [])
    await shop.reconcile([member("a", 100)])
    assert shop.verdicts() == {"a": "discrepancy"}
    assert len(shop.alerts()) == 1


async def test_the_marker_of_every_partition_is_needed() -> None:
    shop = await with_balance(300)
    for partition in range(N - 1):
        await joined(shop, partition)
    assert shop.said("RunTally") == []
    await joined(shop, N - 1)
    assert sorted(t.partition for t in shop.said("RunTally")) == list(range(N))


async def test_a_marker_that_is_repeated_counts_once() -> None:
    shop = await with_balance(300)
    for partition in (0, 1, 2, 2, 1, 0):
        await joined(shop, partition)
        await joined(shop, partition, event_id=f"said again with another id {shop.now}{partition}")
    assert shop.said("RunTally") == []


async def test_a_higher_attempt_replaces_a_lower_one_and_not_the_other_way_round() -> None:
    shop = await with_balance(300)
    for partition in (0, 1, 2):
        await joined(shop, partition, attempt=1)
    await joined(shop, 3, attempt=2)
    for partition in (0, 1, 2, 3):
        await joined(shop, partition, attempt=1, event_id=f"late-{partition}")
    assert shop.said("RunTally") == []
    for partition in (0, 1, 2):
        await joined(shop, partition, attempt=2)
    assert [t.attempt for t in shop.said("RunTally")] == [2] * N


async def test_a_run_is_decided_once() -> None:
    shop = await with_balance(300)
    for again in range(3):
        for partition in range(N):
            await joined(shop, partition, event_id=f"{again}-{partition}")
    assert len(shop.said("RunTally")) == N
    assert len(shop.said("RunCompleted")) == 1


async def test_a_partition_without_customers_answers_with_zeros() -> None:
    shop = await Shop(N).open()
    shop.enrol("a", 10_000)
    await shop.reconcile([member("a", 100)])
    tallies = [t.tally for t in shop.said("RunTally")]
    assert sorted(t.customers for t in tallies) == [0, 0, 0, 1]
    assert tallies.count(Tally()) == N - 1


async def test_tallies_add_up_to_what_the_profiles_say() -> None:
    shop = await Shop(N).open()
    for n in range(40):
        shop.enrol(f"c{n}", 10_000, code(f"c{n}"), *(["phone:shared"] if n in (38, 39) else []))
    members = [member(f"c{n}", 100 if n % 7 else 400) for n in range(30)] + [Member("two", ("phone:shared",), 5)]
    await shop.reconcile(members)
    await shop.reconcile(members)
    total = shop.said("RunCompleted")[-1].tally
    profiles = list(shop.profiles().values())
    assert total == Tally(
        customers=40, with_provider=30, matched=25, discrepancy=5, not_enrolled=8, ambiguous=2, compared=30,
        abs_difference_points=5 * 300,
    )  # fmt: skip
    assert total.matched == sum(p.reconciled for p in profiles)
    assert total.discrepancy == sum(p.needs_review for p in profiles)
    assert total.with_provider == sum(p.points_from_alpine is not None for p in profiles)


async def test_contacts_wait_for_the_links_of_every_accounts_partition() -> None:
    shop = await Shop(N).open()
    shop.enrol("a", 10_000)
    await shop.settle()
    shop.walk(FIRST)
    shop.sweep(FIRST, [member("a", 300)])
    for _ in range(20):
        for partition in range(N):
            await shop.worker.step_one("contacts", partition)
            await shop.worker.step_one("runs", partition)
        for partition in range(N - 1):
            await shop.worker.step_one("accounts", partition)
    assert shop.facts("SweepSeen") == []
    await shop.settle()
    assert {f.partition for f in shop.facts("SweepSeen")} == set(range(N))
    assert only(shop.said("RunCompleted")).tally.discrepancy == 1


async def test_contacts_wait_for_the_end_of_the_sweep() -> None:
    shop = await Shop(N).open()
    shop.enrol("a", 10_000)
    await shop.settle()
    shop.walk(FIRST)
    records = shop.sweep_records(FIRST, [member("a", 300)])
    shop.publish(records[:-2])
    await shop.settle()
    assert {f.partition for f in shop.facts("SweepSeen")} == set(range(N - 1)), "one SweepCompleted is on its way"
    assert shop.verdicts() == {"a": "unknown"}
    shop.publish(records[-2:])
    await shop.settle()
    assert shop.verdicts() == {"a": "discrepancy"}


async def test_a_run_given_up_whose_sweep_ends_late_does_not_disturb_the_next_one() -> None:
    shop = await Shop(N).open()
    shop.enrol("a", 10_000)
    await shop.settle()
    shop.walk(FIRST)
    late = shop.sweep_records(FIRST, [member("a", 100)])
    following = shop.request()
    shop.publish(shop.sweep_records(FIRST, [], complete=False)[-1:])
    await shop.settle()
    shop.walk(following)
    await shop.settle()
    shop.publish(late)
    await shop.settle()
    shop.sweep(following, [member("a", 300)])
    await shop.settle()
    assert [c.run for c in shop.said("RunCompleted")] == [following]
    assert shop.verdicts() == {"a": "discrepancy"}


@pytest.mark.parametrize("lost_stores", [False, True])
async def test_a_producer_that_was_killed_and_sweeps_again_in_the_same_attempt_ends_the_run_once(
    lost_stores: bool,
) -> None:
    """Rows twice, markers twice (the first time not in every partition), balances that moved meanwhile."""
    shop = await Shop(N).open()
    for customer in ("a", "b", "c", "d"):
        shop.enrol(customer, 10_000)
    await shop.settle()
    shop.walk(FIRST)
    shop.publish(shop.sweep_records(FIRST, [member(c, 300) for c in "abcd"])[:-3])
    await shop.settle()
    await shop.restart(keep_stores=not lost_stores)
    shop.sweep(FIRST, [member(c, 100) for c in "abcd"])
    await shop.settle()
    assert len(shop.said("RunCompleted")) == 1
    assert sorted({t.partition for t in shop.said("RunTally")}) == list(range(N))
    await shop.reconcile([member(c, 100) for c in "abcd"])
    assert set(shop.verdicts().values()) == {"matched"}
    assert all(case.state == "resolved" for case in shop.cases().values())
    assert shop.said("RunCompleted")[-1].run.startswith(ORG)
