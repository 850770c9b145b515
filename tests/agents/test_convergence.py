"""The same facts, however late, often and mixed up they arrive, end in the same accounts."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.contracts.facts import CustomerObserved, OrderReassigned
from stream.engine.ports import Output
from tests.agents.builders import NOW, Shop, fact, order

CUSTOMERS = ("a", "b", "c")


@st.composite
def histories(draw: st.DrawFn) -> list[Output]:
    """What a point of sale showed, each observation at an instant of its own; orders change, move and come back."""
    facts: list[Output] = []
    owners: dict[str, str] = {}
    for at in range(NOW, NOW + draw(st.integers(1, 14))):
        number, customer = draw(st.sampled_from(("1", "2", "3"))), draw(st.sampled_from(CUSTOMERS))
        if draw(st.integers(0, 4)) == 0:
            body = CustomerObserved(at, f"{at}", equity=draw(st.sampled_from((None, True, False))))
            facts.append(fact(customer, body, at))
            continue
        changes = draw(
            st.fixed_dictionaries(
                {"refunded_minor": st.sampled_from((0, 500)), "cancelled": st.booleans(), "completed": st.booleans()}
            )
        )
        total = draw(st.integers(-500, 20_000))
        facts.append(fact(customer, order(number, total, observed_at=at, **changes), at))
        former = owners.get(number, customer)
        if former != customer:
            facts.append(fact(former, OrderReassigned(number, customer, at), at))
        owners[number] = customer
    return facts


def outcome(facts: list[Output], fetch: int) -> dict[str, tuple[object, ...]]:
    async def play() -> dict[str, tuple[object, ...]]:
        shop = await Shop(partitions=2, fetch_size=lambda: fetch).open()
        shop.publish(facts)
        await shop.settle()
        assert shop.dead_letters() == []
        return {
            customer: (p.points, p.total_spent_minor, p.order_count, p.tier, p.settings_version)
            for customer, p in shop.profiles().items()
        }

    return asyncio.run(play())


@settings(max_examples=60, deadline=None)
@given(st.data(), histories(), st.integers(1, 9))
def test_any_order_of_arrival_with_any_repeats_ends_the_same(
    data: st.DataObject, facts: list[Output], fetch: int
) -> None:
    repeated = facts + data.draw(st.lists(st.sampled_from(facts), max_size=8))
    shuffled = data.draw(st.permutations(repeated))
    assert outcome(shuffled, fetch) == outcome(facts, 100)


@settings(max_examples=30, deadline=None)
@given(st.data(), histories())
def test_what_is_repeated_late_says_nothing(data: st.DataObject, facts: list[Output]) -> None:
    async def entries(repeats: list[Output]) -> list[tuple[object, ...]]:
        shop = await Shop(partitions=2).open()
        shop.publish([*facts, *repeats])
        await shop.settle()
        return [(e.cause, e.order, e.delta_minor, e.delta_points) for e in shop.entries()]

    repeats = data.draw(st.lists(st.sampled_from(facts), min_size=1, max_size=8))
    assert asyncio.run(entries(repeats)) == asyncio.run(entries([]))
