from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.contracts.entries import Cause
from stream.contracts.facts import OrderObserved, OrderReassigned
from stream.contracts.settings import Basis, RoundingMode, RoundingPer
from stream.loyalty.account import Account, open_account
from stream.loyalty.accrual import move_away, observe_order, recompute, remove_order
from stream.loyalty.order import OrderLine, counted
from stream.loyalty.points import points_for, points_of_order
from stream.loyalty.rules import Rules
from tests.loyalty.builders import CUSTOMER, Ledger, customer, order, reassigned, rules

BRIEF = rules()
PER_ORDER = rules(rounding_per=RoundingPer.ORDER)


def test_the_briefs_order_makes_forty_points() -> None:
    effect = observe_order(open_account(CUSTOMER, BRIEF), None, order(3955), BRIEF)
    assert effect is not None
    assert (effect.cause, effect.delta_minor, effect.delta_points) == (Cause.ORDER_ADDED, 3955, 40)
    assert (effect.account.points, effect.account.order_count, effect.account.line_count) == (40, 1, 1)


REFUNDS = {
    "a lowered total": ([order(1955, observed_at=3_000)], 1955, 1),
    "a refunded amount": ([order(3955, refunded_minor=2000, observed_at=3_000)], 1955, 1),
    "the order cancelled": ([order(3955, cancelled=True, observed_at=3_000)], 0, 0),
    "an order of its own": ([order(-2000, "2", observed_at=3_000)], 1955, 2),
}


@pytest.mark.parametrize(("refund", "spend", "orders"), REFUNDS.values(), ids=REFUNDS)
@pytest.mark.parametrize("late", [False, True])
def test_each_form_of_refund_takes_points_back(
    refund: list[OrderObserved], spend: int, orders: int, late: bool
) -> None:
    facts = [order(3955), *refund]
    account = Ledger(BRIEF).take(*(reversed(facts) if late else facts)).account
    assert (account.spend_minor, account.order_count) == (spend, orders)
    assert account.points == points_for((spend,), False, BRIEF)


def test_spend_goes_below_zero_and_comes_back_while_points_stay_at_zero() -> None:
    ledger = Ledger(BRIEF).take(order(-5000))
    assert (ledger.account.spend_minor, ledger.account.points) == (-5000, 0)
    assert ledger.take(order(5200, "2")).account.points == 2


def test_the_same_content_again_only_raises_when_it_was_seen() -> None:
    ledger = Ledger(BRIEF).take(order(3955, observed_at=2_000))
    effect = observe_order(ledger.account, ledger.lines["1"], order(3955, observed_at=9_000), BRIEF)
    assert effect is not None
    assert effect.silent
    assert effect.account is ledger.account
    assert effect.line == msgspec.structs.replace(ledger.lines["1"], observed_at=9_000)
    assert observe_order(ledger.account, effect.line, order(3955, observed_at=9_000), BRIEF) is None


def test_silence_still_guards_against_what_was_seen_before() -> None:
    ledger = Ledger(BRIEF).take(order(100, observed_at=2_000), order(100, observed_at=9_000))
    assert ledger.take(order(700, observed_at=5_000)).account.spend_minor == 100


def test_a_change_that_moves_no_amount_is_told_without_touching_the_account() -> None:
    ledger = Ledger(BRIEF).take(order(3955))
    effect = observe_order(ledger.account, ledger.lines["1"], order(3955, location="7", observed_at=3_000), BRIEF)
    assert effect is not None
    assert effect.account is ledger.account
    assert (effect.cause, effect.delta_minor, effect.delta_points) == (Cause.ORDER_CHANGED, 0, 0)


def test_a_line_remembers_what_it_counted_before_and_until_when() -> None:
    ledger = Ledger(BRIEF).take(order(100, completed=False, created_at=1_000))
    assert (ledger.lines["1"].previous_minor, ledger.lines["1"].changed_at) == (0, 1_000)
    ledger.take(order(100, observed_at=3_000), order(70, observed_at=4_000), order(70, location="7", observed_at=5_000))
    assert (ledger.lines["1"].previous_minor, ledger.lines["1"].changed_at) == (100, 4_000)


def test_a_moved_order_leaves_one_customer_and_enters_the_other() -> None:
    former, new = Ledger(BRIEF), Ledger(BRIEF)
    former.take(order(3955), reassigned("77", 3_000))
    new.take(order(3955, observed_at=3_000))
    assert (former.account.spend_minor, former.account.order_count, former.account.line_count) == (0, 0, 0)
    assert (new.account.spend_minor, former.lines["1"].gone) == (3955, "77")


@pytest.mark.parametrize(("seen_at", "counts"), [(2_999, 0), (3_000, 0), (3_001, 3955)])
def test_a_moved_order_comes_back_only_when_seen_later(seen_at: int, counts: int) -> None:
    seen = order(3955, observed_at=seen_at)
    assert Ledger(BRIEF).take(reassigned("77", 3_000), seen).account.spend_minor == counts
    assert Ledger(BRIEF).take(seen, reassigned("77", 3_000)).account.spend_minor == counts


def test_two_moves_of_one_instant_end_the_same_in_any_arrival() -> None:
    moves = [reassigned("77", 3_000), reassigned("88", 3_000)]
    assert [Ledger(BRIEF).take(*each).lines["1"].gone for each in (moves, moves[::-1])] == ["88", "88"]
    known = Ledger(BRIEF).take(order(observed_at=3_000), moves[0])
    assert (known.lines["1"].gone, known.account.order_count) == ("77", 0)


def test_a_marker_for_an_unknown_order_is_left_in_silence() -> None:
    account = open_account(CUSTOMER, BRIEF)
    effect = move_away(account, None, reassigned("77", 3_000), BRIEF)
    assert effect is not None
    assert effect.silent
    assert effect.account is account


@pytest.mark.parametrize(("seen_at", "counts"), [(4_999, 0), (5_000, 0), (5_001, 3955)])
def test_a_late_observation_cannot_revive_a_removed_order(seen_at: int, counts: int) -> None:
    ledger = Ledger(BRIEF).take(order(3955, observed_at=2_000))
    effect = remove_order(ledger.account, ledger.lines["1"], 5_000, BRIEF)
    assert effect is not None
    assert (effect.cause, effect.delta_minor, effect.account.points) == (Cause.ORDER_REMOVED, -3955, 0)
    assert remove_order(effect.account, effect.line, 6_000, BRIEF) is None
    ledger.account, ledger.lines["1"] = effect.account, effect.line
    assert ledger.take(order(3955, observed_at=seen_at)).account.spend_minor == counts


def test_an_order_seen_since_is_not_removed() -> None:
    ledger = Ledger(BRIEF).take(order(3955, observed_at=6_000))
    assert remove_order(ledger.account, ledger.lines["1"], 5_000, BRIEF) is None


def test_a_walk_in_account_keeps_no_lines() -> None:
    ledger = Ledger(BRIEF).take(customer(walk_in=True), order(3955), reassigned("77", 3_000, order="9"))
    assert (ledger.lines, ledger.account.points, ledger.account.line_count) == ({}, 0, 0)


# any order, any duplication

amounts = st.integers(-500, 2_000)
NOT_COUNTED: dict[str, object] = {
    "cancelled": True,
    "paid": False,
    "completed": False,
    "currency": "CAD",
    "walk_in": True,
}
FLAGS: list[dict[str, object]] = [{}] * 3 + [{name: value} for name, value in NOT_COUNTED.items()]


@st.composite
def observations(draw: st.DrawFn) -> OrderObserved | OrderReassigned:
    """Few orders, few instants, few contents: so that ties and repeats are common."""
    number, at = str(draw(st.integers(1, 3))), draw(st.integers(1, 6))
    if draw(st.integers(0, 5)) == 0:
        return reassigned(draw(st.sampled_from(["77", "88"])), at, number)
    refunded = draw(st.sampled_from([0, 0, 150]))
    fields = draw(st.sampled_from(FLAGS))
    return order(draw(amounts), number, observed_at=at, refunded_minor=refunded, **fields)


def last_words(facts: list[OrderObserved | OrderReassigned]) -> dict[str, OrderObserved | OrderReassigned]:
    """The batch answer: of each order the newest fact; of one instant a move, else the larger hash."""
    last: dict[str, OrderObserved | OrderReassigned] = {}
    for fact in facts:
        last[fact.order] = max(last.get(fact.order, fact), fact, key=_rank)
    return last


def _rank(fact: OrderObserved | OrderReassigned) -> tuple[int, bool, str]:
    moved = isinstance(fact, OrderReassigned)
    return fact.observed_at, moved, fact.to if isinstance(fact, OrderReassigned) else fact.content_hash


def batch_sum(facts: list[OrderObserved | OrderReassigned], using: Rules) -> tuple[int, int, int]:
    orders = [fact for fact in last_words(facts).values() if isinstance(fact, OrderObserved)]
    counts = [minor for minor, why_not in (counted(each, using) for each in orders) if why_not is None]
    if using.per_order:
        points = max(sum(points_of_order(each, 0, False, using) for each in counts), 0)
    else:
        points = points_for((sum(counts),), False, using)
    return sum(counts), len(counts), points


def settled(lines: dict[str, OrderLine]) -> dict[str, OrderLine]:
    """Lines without the memory of how they got there, which depends on what was seen on the way."""
    return {key: msgspec.structs.replace(line, previous_minor=0, changed_at=0) for key, line in lines.items()}


@settings(max_examples=300)
@given(st.data(), st.lists(observations(), max_size=12), st.sampled_from([BRIEF, PER_ORDER]))
def test_any_order_and_any_duplication_converge_to_the_batch_sum(
    data: st.DataObject, facts: list[OrderObserved | OrderReassigned], using: Rules
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(facts), max_size=6)) if facts else []
    shuffled = data.draw(st.permutations(facts + repeats))
    account = Ledger(using).take(*shuffled).account
    assert (account.spend_minor, account.order_count, account.points) == batch_sum(facts, using)


@settings(max_examples=150)
@given(st.data(), st.lists(observations(), max_size=10))
def test_the_state_itself_does_not_depend_on_arrival(
    data: st.DataObject, facts: list[OrderObserved | OrderReassigned]
) -> None:
    contents = [fact for fact in facts if isinstance(fact, OrderObserved)]
    one, other = Ledger(BRIEF).take(*contents), Ledger(BRIEF).take(*data.draw(st.permutations(contents)))
    assert (one.account, settled(one.lines)) == (other.account, settled(other.lines))


@given(amounts, amounts, st.integers(1, 100), st.integers(1, 100))
def test_an_older_observation_never_wins(first: int, second: int, at: int, older_by: int) -> None:
    ledger = Ledger(BRIEF).take(order(first, observed_at=at + older_by))
    before = ledger.account, dict(ledger.lines)
    assert (ledger.take(order(second, observed_at=at)).account, ledger.lines) == before


@given(st.lists(observations(), max_size=10))
def test_the_deltas_of_effects_add_up_to_the_account(facts: list[OrderObserved | OrderReassigned]) -> None:
    account: Account = open_account(CUSTOMER, BRIEF)
    lines: dict[str, OrderLine] = {}
    minor = points = 0
    for fact in facts:
        line = lines.get(fact.order)
        if isinstance(fact, OrderReassigned):
            effect = move_away(account, line, fact, BRIEF)
        else:
            effect = observe_order(account, line, fact, BRIEF)
        if effect is not None:
            account, lines[fact.order] = effect.account, effect.line
            minor, points = minor + effect.delta_minor, points + effect.delta_points
    assert (minor, points) == (account.spend_minor, account.points)
    assert account.line_count == sum(line.gone is None for line in lines.values())


OTHERS = (
    rules(2, basis=Basis.TOTAL_LESS_TAX),
    rules(2, rounding=RoundingMode.FLOOR, rounding_per=RoundingPer.ORDER),
    rules(2, currency="CAD"),
    rules(2, equity_customers=(CUSTOMER,)),
)


@given(st.lists(observations(), max_size=10), st.sampled_from(OTHERS))
def test_other_settings_give_what_they_would_have_given_from_the_start(
    facts: list[OrderObserved | OrderReassigned], others: Rules
) -> None:
    ledger, fresh = Ledger(BRIEF).take(*facts), Ledger(others).take(*facts)
    account, changed = recompute(ledger.account, CUSTOMER, ledger.lines.items(), others)
    assert account == fresh.account
    ledger.lines.update(changed)
    assert ledger.counted == fresh.counted
    assert recompute(account, CUSTOMER, ledger.lines.items(), others) == (account, [])


def test_state_survives_being_stored() -> None:
    ledger = Ledger(BRIEF).take(order(3955), customer(identities=("phone:aa",)), reassigned("7", 9_000, order="2"))
    raw = msgspec.msgpack.encode(ledger.account), msgspec.msgpack.encode(ledger.lines["2"])
    assert msgspec.msgpack.decode(raw[0], type=Account) == ledger.account
    assert msgspec.msgpack.decode(raw[1], type=OrderLine) == ledger.lines["2"]
