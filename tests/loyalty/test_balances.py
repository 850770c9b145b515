from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.contracts.facts import BalanceAbsent, BalanceAmbiguous, BalanceMissed, LookUpEmpty, MovementMatched
from stream.loyalty.account import Account, AnswerKind, open_account
from stream.loyalty.balances import (
    NEWEST_MOVEMENTS,
    BalanceFact,
    look_up_empty,
    seen_in_sweep,
    take_balance,
    take_movement,
)
from stream.loyalty.customer import observe_customer
from tests.loyalty.builders import CODE, CUSTOMER, EMAIL, PHONE, customer, matched, rules

BRIEF = rules()
HELD = (0, 1)


def holding(*identities: str) -> Account:
    effect = observe_customer(open_account(CUSTOMER, BRIEF), customer(identities=identities), HELD, BRIEF)
    assert effect is not None
    return effect.account


def after(account: Account, *facts: BalanceFact) -> Account:
    for fact in facts:
        account = take_balance(account, fact) or account
    return account


def missed(observation: int, at: int = 6_000, identity: str = PHONE) -> BalanceMissed:
    return BalanceMissed(identity, HELD, (0, observation), at)


def absent(observation: int, identity: str = PHONE) -> BalanceAbsent:
    return BalanceAbsent(identity, HELD, (0, observation), 7_000)


def moved(points: int, movement: str, moved_at: int = 100) -> MovementMatched:
    return MovementMatched(PHONE, HELD, (0, 1), movement, "redemption", points, moved_at, contact="contact-1")


@pytest.mark.parametrize(
    ("fields", "because"),
    [
        ({"identity": EMAIL}, "an identity that is not held"),
        ({"link_version": (0, 2)}, "another link version: meant for another holder"),
        ({"observation": (0, 5)}, "the highest observation taken, again"),
        ({"observation": (0, 4)}, "an older observation"),
    ],
)
def test_what_is_not_for_this_customer_now_is_not_taken(fields: dict[str, object], because: str) -> None:
    account = after(holding(PHONE), matched(475, 5))
    assert take_balance(account, matched(1, 6, **fields)) is None, because


def test_a_newer_epoch_is_newer_whatever_the_offset() -> None:
    assert after(holding(PHONE), matched(475, 5), matched(9, 0, observation=(1, 0))).provider_points == 9


def test_a_hidden_balance_is_unknown_and_not_zero() -> None:
    account = after(holding(PHONE), matched(475, 1), matched(None, 2))
    assert account.balance is not None
    assert (account.provider_points, account.balance.contact) == (None, "contact-1")


@pytest.mark.parametrize("arrival", [(CODE, PHONE, EMAIL), (EMAIL, PHONE, CODE), (PHONE, CODE, EMAIL)])
def test_the_best_identity_is_believed_whichever_came_first(arrival: tuple[str, ...]) -> None:
    points = {CODE: 1, PHONE: 2, EMAIL: 3}
    account = after(holding(EMAIL, PHONE, CODE), *(matched(points[each], identity=each) for each in arrival))
    assert account.provider_points == 1


def test_an_absent_identity_leaves_the_word_to_a_weaker_one() -> None:
    account = after(holding(PHONE, EMAIL), absent(1), matched(30, identity=EMAIL))
    assert (account.best, account.provider_points) == (EMAIL, 30)


def test_an_ambiguous_identity_is_not_passed_over_for_a_weaker_one() -> None:
    shared = BalanceAmbiguous(PHONE, HELD, (0, 1), 2)
    account = after(holding(PHONE, EMAIL), shared, matched(30, identity=EMAIL))
    assert account.balance is not None
    assert (account.balance.kind, account.provider_points) == (AnswerKind.AMBIGUOUS, None)


def test_a_first_miss_keeps_the_balance_and_a_second_takes_it() -> None:
    once = after(holding(PHONE), matched(475, 1), missed(2))
    assert once.balance is not None
    assert (once.provider_points, once.balance.missed_since) == (475, 6_000)
    assert after(once, absent(3)).balance is None
    found = after(once, matched(475, 3))
    assert found.balance is not None
    assert found.balance.missed_since is None


def test_a_sweep_confirms_every_balance_that_it_did_not_miss() -> None:
    account = after(holding(PHONE, EMAIL), matched(475, 1), matched(30, 1, identity=EMAIL), missed(2, identity=EMAIL))
    swept = seen_in_sweep(account, 6_000)
    at = {identity: link.balance and link.balance.observed_at for identity, link in swept.links.items()}
    assert at == {PHONE: 6_000, EMAIL: 5_000}
    assert seen_in_sweep(swept, 5_500) is swept


def test_an_empty_look_up_means_absent_for_what_was_held_then() -> None:
    account = after(
        holding(PHONE, EMAIL), matched(475, 1, observed_at=5_000), matched(30, 1, identity=EMAIL, observed_at=9_000)
    )
    asked = look_up_empty(account, LookUpEmpty("run", 6_000))
    assert asked is not None
    assert {each: link.balance and link.balance.kind for each, link in asked.links.items()} == {
        PHONE: AnswerKind.ABSENT,
        EMAIL: AnswerKind.MATCHED,
    }
    assert look_up_empty(holding(), LookUpEmpty("run", 6_000)) is None


def test_each_movement_is_taken_once() -> None:
    account = holding(PHONE)
    for fact in (moved(-50, "a"), moved(20, "b"), moved(-50, "a")):
        account = take_movement(account, fact) or account
    assert account.movements["contact-1"].points == -30


def test_old_movements_stay_in_the_sum() -> None:
    account = holding(PHONE)
    for number in range(NEWEST_MOVEMENTS + 10):
        account = take_movement(account, moved(1, str(number), moved_at=number)) or account
    kept = account.movements["contact-1"]
    assert (len(kept.newest), kept.points) == (NEWEST_MOVEMENTS, NEWEST_MOVEMENTS + 10)
    assert take_movement(account, moved(1, "3", moved_at=3)) is None


def test_movements_go_with_their_identity() -> None:
    account = take_movement(holding(PHONE, EMAIL), moved(-50, "a"))
    assert account is not None
    effect = observe_customer(account, customer(2_000, identities=(EMAIL,)), (0, 2), BRIEF)
    assert effect is not None
    assert effect.account.movements == {}


def test_a_movement_told_of_two_identities_counts_once_and_as_long_as_one_is_held() -> None:
    account = holding(PHONE, EMAIL)
    for fact in (moved(-50, "a"), msgspec.structs.replace(moved(-50, "a"), identity=EMAIL), moved(-50, "a")):
        account = take_movement(account, fact) or account
    assert account.movements["contact-1"].points == -50
    effect = observe_customer(account, customer(2_000, identities=(EMAIL,)), (0, 2), BRIEF)
    assert effect is not None
    assert effect.account.movements["contact-1"].points == -50


answers = st.one_of(
    st.builds(lambda p, o: matched(p, o), st.none() | st.integers(0, 99), st.integers(1, 9)),
    st.builds(lambda o: absent(o), st.integers(1, 9)),
)


@given(st.data(), st.lists(answers, max_size=8, unique_by=lambda answer: answer.observation))
def test_answers_converge_in_any_arrival(data: st.DataObject, facts: list[BalanceFact]) -> None:
    one = after(holding(PHONE), *sorted(facts, key=lambda fact: fact.observation))
    assert after(holding(PHONE), *data.draw(st.permutations(facts + facts[:3]))) == one
