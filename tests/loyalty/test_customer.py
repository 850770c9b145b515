from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.contracts.facts import CustomerErased, CustomerObserved, OrderObserved
from stream.contracts.profiles import Verdict
from stream.contracts.settings import RoundingPer
from stream.loyalty.account import Account, open_account
from stream.loyalty.cases import conclude
from stream.loyalty.customer import CustomerEffect, best_first, erase, observe_customer
from stream.loyalty.reconcile import verdict
from stream.loyalty.rules import Rules
from tests.loyalty.builders import CODE, CUSTOMER, EMAIL, PHONE, Ledger, customer, order, rules, with_balance

BRIEF = rules()
PER_ORDER = rules(rounding_per=RoundingPer.ORDER)


def seen(account: Account, fact: CustomerObserved, offset: int = 1) -> CustomerEffect:
    effect = observe_customer(account, fact, (0, offset), BRIEF)
    assert effect is not None
    return effect


@pytest.mark.parametrize(("using", "with_equity", "without"), [(BRIEF, 5, 4), (PER_ORDER, 4, 4)])
def test_equity_can_be_switched_on_and_off_without_reading_orders(using: Rules, with_equity: int, without: int) -> None:
    ledger = Ledger(using).take(order(199, "1"), order(199, "2"))
    points = [ledger.take(customer(at, equity=at % 2 == 1)).account.points for at in (1, 2, 3)]
    assert points == [with_equity, without, with_equity]


def test_a_customer_on_the_settings_list_has_equity_whatever_the_point_of_sale_says() -> None:
    listed = rules(equity_customers=(CUSTOMER,))
    assert Ledger(listed).take(order(10_000), customer(equity=False)).account.points == 120


def test_equity_tells_how_points_moved() -> None:
    effect = seen(Ledger(BRIEF).take(order(10_000)).account, customer(equity=True))
    assert (effect.delta_points, effect.delta_minor) == (20, 0)


def test_identities_are_linked_and_unlinked_by_difference() -> None:
    first = seen(open_account(CUSTOMER, BRIEF), customer(1, identities=(EMAIL, PHONE)))
    assert [identity for identity, _ in first.linked] == [PHONE, EMAIL]
    second = seen(first.account, customer(2, identities=(EMAIL, CODE)), offset=5)
    assert [(identity, link.version) for identity, link in second.linked] == [(CODE, (0, 5))]
    assert [(identity, link.version) for identity, link in second.unlinked] == [(PHONE, (0, 1))]
    assert {identity: link.version for identity, link in second.account.links.items()} == {CODE: (0, 5), EMAIL: (0, 1)}


def test_the_best_kind_of_identity_comes_first_and_each_once() -> None:
    given_order = (EMAIL, "phone:zz", PHONE, CODE, EMAIL)
    assert best_first(given_order) == [CODE, "phone:zz", PHONE, EMAIL]


def test_the_same_content_again_is_silent_and_a_late_one_is_nothing() -> None:
    account = seen(open_account(CUSTOMER, BRIEF), customer(2, identities=(PHONE,))).account
    again = seen(account, customer(9, identities=(PHONE,)))
    assert (again.silent, again.linked, again.account.links) == (True, (), account.links)
    assert observe_customer(again.account, customer(5, equity=True), (0, 9), BRIEF) is None
    assert observe_customer(again.account, customer(9, identities=(PHONE,)), (0, 9), BRIEF) is None


def test_a_balance_and_its_verdict_go_with_the_identity() -> None:
    account = with_balance(Ledger(BRIEF).take(order(45_000)).account, 475, BRIEF)
    judged = verdict(account, list, BRIEF, 10**9)
    concluded = conclude(account, judged, BRIEF, run="r", case_prefix="o:1", at=10**9, version=(0, 9)).account
    assert concluded.verdict is Verdict.MATCHED
    effect = seen(concluded, customer(9_000, identities=(EMAIL,)))
    assert (effect.account.balance, effect.account.provider_points) == (None, None)
    assert effect.account.verdict is Verdict.UNKNOWN


def test_a_customer_that_turns_out_to_be_a_walk_in_counts_nothing() -> None:
    ledger = Ledger(BRIEF).take(order(3955), customer(1, identities=(PHONE,)))
    effect = seen(ledger.account, customer(2, walk_in=True, identities=(PHONE,)))
    assert (effect.drop_lines, effect.delta_points, effect.delta_minor) == (True, -40, -3955)
    assert [identity for identity, _ in effect.unlinked] == [PHONE]
    account = effect.account
    assert (account.points, account.spend_minor, account.order_count, account.line_count, account.links) == (
        0,
        0,
        0,
        0,
        {},
    )
    assert not seen(account, customer(3, walk_in=True, home_location="7")).drop_lines


def test_an_erased_customer_keeps_points_and_never_gets_identities_again() -> None:
    ledger = Ledger(BRIEF).take(order(10_000), customer(1, identities=(PHONE,), equity=True, home_location="7"))
    effect = erase(ledger.account, CustomerErased(2_000, "person"))
    assert effect is not None
    assert [identity for identity, _ in effect.unlinked] == [PHONE]
    assert (effect.account.points, effect.account.links, effect.account.balance) == (120, {}, None)
    assert effect.account.attributes is not None
    assert effect.account.attributes.home_location is None
    assert seen(effect.account, customer(3_000, identities=(PHONE, EMAIL), equity=True)).account.links == {}
    assert erase(effect.account, CustomerErased(4_000, "person")) is None


attributes = st.builds(
    lambda at, equity, identities: customer(at, equity=equity, identities=tuple(identities)),
    st.integers(1, 4),
    st.sampled_from([None, True, False]),
    st.sets(st.sampled_from([CODE, PHONE, EMAIL]), max_size=3).map(sorted),
)
purchases = st.builds(lambda total, at: order(total, observed_at=at), st.integers(0, 999), st.integers(1, 3))
facts = st.lists(attributes | purchases, max_size=8)


@settings(max_examples=200)
@given(st.data(), facts)
def test_customers_and_orders_converge_in_any_arrival(
    data: st.DataObject, facts: list[CustomerObserved | OrderObserved]
) -> None:
    one = Ledger(BRIEF).take(*facts).account
    other = Ledger(BRIEF).take(*data.draw(st.permutations(facts + facts[:2]))).account
    assert (one.points, one.equity, list(one.links), one.attributes) == (
        *(other.points, other.equity, list(other.links), other.attributes),
    )


@given(st.lists(attributes, max_size=8))
def test_what_was_linked_less_what_was_unlinked_is_what_is_held(facts: list[CustomerObserved]) -> None:
    account, held = open_account(CUSTOMER, BRIEF), dict[str, tuple[int, int]]()
    for offset, fact in enumerate(facts):
        effect = observe_customer(account, fact, (0, offset), BRIEF)
        if effect is None:
            continue
        account = effect.account
        for identity, link in effect.unlinked:
            assert held.pop(identity) == link.version
        held |= {identity: link.version for identity, link in effect.linked}
    assert {identity: link.version for identity, link in account.links.items()} == held
