"""What moved a balance: told with it, to whom it belongs, and part of the comparison where the settings say so."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from stream.contracts.identities import IDENTITIES, MovementObserved
from stream.contracts.names import identity_key
from stream.contracts.runs import RunKind
from stream.contracts.settings import Compare, OrgSettings
from stream.engine.ports import Output
from tests.agents.builders import FIRST, LONG_AGO, NOW, ORG, Member, Shop, code, member, only, settings


def movement_records(*found: tuple[str, str, str, int], moved_at: int = LONG_AGO) -> list[Output]:
    """What the provider lists: (identity, contact, id, points)."""
    return [
        Output(
            "identities",
            identity_key(ORG, identity),
            IDENTITIES.encode(
                MovementObserved(identity, contact, movement, "redemption", points, moved_at),
                org=ORG,
                at=NOW,
                source="alpine_iq",
            ),
        )
        for identity, contact, movement, points in found
    ]


async def reconcile(shop: Shop, members: Iterable[Member], *found: tuple[str, str, str, int]) -> None:
    """As `Shop.reconcile`, with movements before the sweep is complete."""
    run = FIRST if not shop.said("RunCompleted") else shop.request()
    await shop.settle()
    shop.walk(run)
    await shop.settle()
    sweep = shop.sweep_records(run, members)
    marks = -shop.partitions - 1
    shop.publish([*sweep[:marks], *movement_records(*found), *sweep[marks:]])
    await shop.settle()


def expecting(**fields: object) -> OrgSettings:
    return settings(compare=Compare.EXPECTED, **fields)


@pytest.mark.parametrize(
    ("points", "moved", "raw", "expected", "because"),
    [
        (60, -40, "discrepancy", "matched", "redeemed: the orders' 100 are 60 there"),
        (100, -40, "matched", "discrepancy", "a redemption that was not taken off"),
        (100, 0, "matched", "matched", "nothing moved"),
        (30, -40, "discrepancy", "discrepancy", "a redemption explains only part"),
        (150, 50, "discrepancy", "matched", "goodwill"),
    ],
)
async def test_the_sides_are_compared_with_or_without_what_moved_the_balance(
    points: int, moved: int, raw: str, expected: str, because: str
) -> None:
    for chosen, verdict in ((settings(), raw), (expecting(), expected)):
        shop = await Shop().open(chosen)
        shop.enrol("a", 10_000)
        await reconcile(shop, [member("a", points)], (code("a"), "contact-a", "m1", moved))
        assert shop.verdicts() == {"a": verdict}, because


async def test_a_movement_is_told_once_however_often_it_is_listed() -> None:
    shop = await Shop().open(expecting())
    shop.enrol("a", 10_000)
    listed = (code("a"), "contact-a", "m1", -40), (code("a"), "contact-a", "m2", -10)
    for found in (listed[:1], listed, listed):
        await reconcile(shop, [member("a", 50)], *found)
    assert [fact.movement for fact in shop.facts("MovementMatched")] == ["m1", "m2"]
    assert shop.verdicts() == {"a": "matched"}


async def test_movements_come_before_the_barrier_whichever_side_is_first() -> None:
    """The link may arrive after what was listed."""
    shop = await Shop().open(expecting())
    shop.observe_order("a", "1", 10_000)
    await shop.settle()
    shop.publish(movement_records((code("a"), "contact-a", "m1", -40)))
    await shop.settle()
    assert shop.facts("MovementMatched") == []
    shop.observe_customer("a", code("a"))
    await reconcile(shop, [member("a", 60)])
    assert shop.verdicts() == {"a": "matched"}
    assert shop.alerts() == []


async def test_a_new_holder_of_an_identity_is_told_what_moved_its_balance_before() -> None:
    shop = await Shop().open(expecting())
    shop.enrol("a", 10_000, "phone:x")
    shop.enrol("b", 10_000, "phone:y")
    members = [Member("contact", ("phone:x",), 60)]
    await reconcile(shop, members, ("phone:x", "contact", "m1", -40))
    shop.observe_customer("a")
    shop.observe_customer("b", "phone:x")
    await reconcile(shop, members)
    assert shop.verdicts() == {"a": "unknown", "b": "matched"}


async def test_movements_of_an_ambiguous_identity_wait_until_it_is_not() -> None:
    shop = await Shop().open(expecting())
    shop.enrol("a", 10_000, "phone:x")
    one, two = Member("one", ("phone:x",), 60), Member("two", ("phone:x",), 900)
    moved = ("phone:x", "one", "m1", -40), ("phone:x", "two", "m2", 800)
    await reconcile(shop, [one, two], *moved)
    assert shop.verdicts() == {"a": "ambiguous"}
    for _ in range(2):
        assert shop.facts("MovementMatched") == [], "nobody knows whose they are"
        await reconcile(shop, [one])
    assert [fact.movement for fact in shop.facts("MovementMatched")] == ["m1"]
    assert shop.verdicts() == {"a": "matched"}


async def test_a_movement_reaches_a_look_up_before_its_balance() -> None:
    shop = await Shop().open(expecting())
    shop.enrol("a", 10_000)
    shop.request(RunKind.CUSTOMER, "one", "a")
    await shop.settle()
    shop.publish(movement_records((code("a"), "contact-a", "m1", -40)))
    shop.look_up("one", "a", member("a", 60))
    await shop.settle()
    assert only(shop.said("CustomerSynced")).outcome == "matched"
    shop.request(RunKind.CUSTOMER, "two", "a")
    await shop.settle()
    shop.publish(movement_records((code("a"), "contact-a", "m1", -40), (code("a"), "contact-a", "m2", -30)))
    shop.look_up("two", "a", member("a", 30))
    await shop.settle()
    assert [synced.outcome for synced in shop.said("CustomerSynced")] == ["matched", "matched"]


async def test_of_very_many_movements_the_oldest_are_not_kept_and_not_told_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stream.agents.contacts.movements.NEWEST", 3)
    shop = await Shop().open(expecting())
    shop.enrol("a", 10_000)
    listed = [
        Output(
            "identities",
            identity_key(ORG, code("a")),
            IDENTITIES.encode(
                MovementObserved(code("a"), "contact-a", f"m{number}", "redemption", -1, LONG_AGO + number),
                org=ORG,
                at=NOW,
                source="alpine_iq",
            ),
        )
        for number in range(6)
    ]
    await shop.reconcile([member("a", 94)])
    for _ in range(2):
        shop.publish(listed)
        await shop.settle()
    assert len(shop.facts("MovementMatched")) == 6


async def test_movements_are_forgotten_with_a_member_that_is_gone_and_nobodys() -> None:
    shop = await Shop().open()
    shop.enrol("a", 10_000)
    await shop.reconcile([member("a", 100)])
    before = len(shop.state("contacts"))
    moved = (code("stranger"), "contact-stranger", "m1", -5), (code("nobody"), "contact-nobody", "m1", -5)
    await reconcile(shop, [member("a", 100), member("stranger", 5)], *moved)
    assert len(shop.state("contacts")) == before + 2, "the stranger and what moved the balance"
    await shop.reconcile([member("a", 100)])
    assert len(shop.state("contacts")) == before


async def test_what_moved_one_contact_does_not_count_against_the_balance_of_another() -> None:
    """The customer enrolled twice, once with the code and once with an e-mail address."""
    shop = await Shop().open(expecting())
    shop.enrol("a", 10_000, code("a"), "email:x")
    members = [Member("one", (code("a"),), 90), Member("two", ("email:x",), 20)]
    await reconcile(shop, members, (code("a"), "one", "m1", -10), ("email:x", "two", "m2", -80))
    profile = shop.profiles()["a"]
    assert (profile.verdict, profile.moved_points, profile.discrepancy) == ("matched", -10, 0)


async def test_a_contact_that_replaces_another_begins_without_its_movements() -> None:
    shop = await Shop().open(expecting())
    shop.enrol("a", 10_000)
    await reconcile(shop, [Member("one", (code("a"),), 10)], (code("a"), "one", "m1", -90))
    await reconcile(shop, [Member("two", (code("a"),), 100)])
    profile = shop.profiles()["a"]
    assert (profile.verdict, profile.moved_points) == ("matched", None)
    await reconcile(shop, [Member("one", (code("a"),), 10)])
    assert shop.verdicts() == {"a": "matched"}, "and has them again when it is back"
    assert shop.alerts() == []


async def test_what_is_redeemed_after_a_balance_was_read_is_in_the_next_one() -> None:
    """Both are read side by side, and a sweep may take minutes."""
    shop = await Shop().open(expecting())
    shop.enrol("a", 10_000)
    shop.walk(FIRST)
    await shop.settle()
    *sweep, ended = shop.sweep_records(FIRST, [member("a", 100)])
    late = movement_records((code("a"), "contact-a", "m1", -50), moved_at=shop.tick())
    read = shop.partitions + 1
    shop.publish([*sweep[:read], *late, *sweep[read:], ended])
    await shop.settle()
    assert shop.verdicts() == {"a": "matched"}
    assert shop.profiles()["a"].discrepancy == 0
    await reconcile(shop, [member("a", 50)])
    assert shop.verdicts() == {"a": "matched"}
    await reconcile(shop, [member("a", 100)])
    assert shop.verdicts() == {"a": "discrepancy"}, "the redemption was booked before"
