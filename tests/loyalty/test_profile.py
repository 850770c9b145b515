from __future__ import annotations

import pytest
from msgspec.structs import replace

from stream.contracts.facts import MovementMatched
from stream.contracts.profiles import Verdict
from stream.contracts.settings import Compare, Mode
from stream.loyalty.account import AnswerKind, Balance
from stream.loyalty.balances import take_balance, take_movement
from stream.loyalty.cases import conclude
from stream.loyalty.profile import profile_of
from stream.loyalty.reconcile import verdict
from tests.loyalty.builders import SETTLED_AT, Ledger, customer, enrolled, matched, order, rules, with_balance

BRIEF = rules()


@pytest.mark.parametrize(
    ("provider", "points", "tier", "source", "discrepancy"),
    [
        (475, 475, "Bronze", "alpine_iq", 25),
        (500, 500, "Silver", "alpine_iq", 50),
        (0, 0, "Bronze", "alpine_iq", -450),
        (450, 450, "Bronze", "alpine_iq", 0),
        (None, 450, "Bronze", "calculated", None),
    ],
)
def test_the_provider_is_believed_where_it_is_known(
    provider: int | None, points: int, tier: str, source: str, discrepancy: int | None
) -> None:
    profile = profile_of(enrolled(45_000, provider, BRIEF), BRIEF, (0, 9), 7_000)
    assert (profile.points, profile.points_from_orders, profile.points_from_alpine) == (points, 450, provider)
    assert (profile.tier, profile.tier_source, profile.discrepancy) == (tier, source, discrepancy)
    assert profile.alpine_user_id == "contact-1"


def test_the_briefs_customer_without_a_balance() -> None:
    profile = profile_of(Ledger(BRIEF).take(order(3955)).account, BRIEF, (0, 9), 7_000)
    assert (profile.points, profile.tier, profile.total_spent_minor, profile.order_count) == (40, "Bronze", 3955, 1)
    assert (profile.alpine_user_id, profile.balance_as_of, profile.points_from_alpine) == (None, None, None)
    assert (profile.verdict, profile.reconciled, profile.needs_review) == (Verdict.UNKNOWN, False, False)
    assert (profile.epoch, profile.version, profile.calculated_at, profile.settings_version) == (0, 9, 7_000, 1)


def test_a_tier_that_the_provider_gives_is_believed() -> None:
    account = with_balance(Ledger(BRIEF).account, 10, BRIEF)
    told = take_balance(account, matched(10, 2, tier="Platinum"))
    assert told is not None
    assert profile_of(told, BRIEF, (0, 9), 7_000).tier == "Platinum"


def test_points_move_with_orders_while_the_verdict_stays_that_of_the_run() -> None:
    account = enrolled(45_000, 475, BRIEF)
    judged = verdict(account, list, BRIEF, SETTLED_AT)
    concluded = conclude(account, judged, BRIEF, run="r", case_prefix="o:1", at=SETTLED_AT, version=(0, 5)).account
    ledger = Ledger(BRIEF, concluded).take(order(100_000, "2"))
    profile = profile_of(ledger.account, BRIEF, (0, 9), 7_000)
    assert (profile.points_from_orders, profile.discrepancy, profile.verdict) == (1_450, -975, Verdict.MATCHED)


@pytest.mark.parametrize(("mode", "export"), [(Mode.OBSERVE, False), (Mode.LIVE, True)])
def test_only_a_live_org_exports(mode: Mode, export: bool) -> None:
    using = rules(mode=mode)
    assert profile_of(Ledger(using).account, using, (0, 9), 7_000).export is export


def test_home_location_is_carried() -> None:
    account = Ledger(BRIEF).take(customer(home_location="1000")).account
    assert profile_of(account, BRIEF, (0, 9), 7_000).home_location == "1000"


def test_without_movements_expected_and_raw_differ_in_nothing() -> None:
    expected = rules(compare=Compare.EXPECTED)
    assert profile_of(enrolled(45_000, 475, expected), expected, (0, 9), 7_000).discrepancy == 25


def test_what_the_provider_moved_and_found_the_customer_by_is_carried() -> None:
    account = enrolled(45_000, 475, BRIEF)
    held = account.links[account.best or ""].version
    for number, (kind, points) in enumerate((("redemption", -200), ("adjustment", 60), ("boost", 1)), 1):
        told = f"m{number}", kind, points, number
        fact = MovementMatched(account.best or "", held, (0, number), *told, contact="contact-1")
        moved = take_movement(account, fact)
        assert moved is not None
        account = moved
    profile = profile_of(account, BRIEF, (0, 9), 7_000)
    assert (profile.moved_points, profile.matched_by) == (-139, (account.best or "").partition(":")[0])
    assert (profile.redeemed_points, profile.adjusted_points, profile.expired_points) == (-200, 60, None)
    unknown = profile_of(Ledger(BRIEF).take(order(3955)).account, BRIEF, (0, 9), 7_000)
    assert (unknown.moved_points, unknown.matched_by) == (None, None)
    assert (unknown.equity, unknown.tier_differs) == (False, False)


def test_an_ambiguous_contact_is_not_a_match() -> None:
    account = enrolled(45_000, 475, BRIEF)
    best = account.best or ""
    balance = replace(account.links[best].balance or Balance(AnswerKind.AMBIGUOUS, 0), contact=None, points=None)
    shared = replace(account, links={best: replace(account.links[best], balance=balance)})
    assert profile_of(shared, BRIEF, (0, 9), 7_000).matched_by is None


@pytest.mark.parametrize(
    ("spent", "provider", "differs"),
    [(45_000, 499, False), (45_000, 500, True), (50_000, 499, True), (50_000, 999, False), (45_000, None, False)],
)
def test_a_tier_that_differs_is_flagged_within_the_tolerance_too(
    spent: int, provider: int | None, differs: bool
) -> None:
    assert profile_of(enrolled(spent, provider, BRIEF), BRIEF, (0, 9), 7_000).tier_differs is differs


def test_the_multiplier_is_flagged() -> None:
    account = Ledger(BRIEF).take(customer(equity=True)).account
    assert profile_of(account, BRIEF, (0, 9), 7_000).equity is True
