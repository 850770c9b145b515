"""What a change of the settings would do, before it is done."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from stream.contracts.profiles import Verdict
from stream.contracts.settings import Accrual, Basis, Compare, OrgSettings, RoundingMode, RoundingPer, Tier, Tolerance
from stream.sinks.views.read import Views
from stream.web.preview import preview
from tests.sinks.records import AT, ORG, a_profile, profile_record
from tests.sinks.views_file import views_of

BEFORE = OrgSettings()
LINE = dict[str, Any]


def customers() -> list[Any]:
    """Spend and points under the brief's rules; `d`: social equity, `e`: in a tier of the provider's own."""
    known: LINE = {"tier_source": "alpine_iq"}
    matched: LINE = {"verdict": Verdict.MATCHED, **known}
    named: LINE = {"tier": "Diamond", **matched}
    apart: LINE = {"verdict": Verdict.DISCREPANCY}
    return [
        profile_record("a", a_profile(450)),
        profile_record("b", a_profile(450, points_from_alpine=475, discrepancy=25, **matched)),
        profile_record("c", replace(a_profile(40), total_spent_minor=3955)),
        profile_record("d", replace(a_profile(120), total_spent_minor=10_000)),
        profile_record("e", a_profile(700, points_from_alpine=700, discrepancy=0, **named)),
        profile_record("f", a_profile(100, points_from_alpine=120, discrepancy=20, **(known | apart))),
        profile_record("g", a_profile(100, points_from_alpine=150, discrepancy=50, verdict=Verdict.TIMING, **known)),
    ]  # fmt: skip


@pytest.fixture
def views(tmp_path: Path) -> Views:
    return views_of(tmp_path / "views.db", customers())


def rates(points: str, equity: str = "1.2") -> tuple[Accrual, ...]:
    return (Accrual(Decimal(points), Decimal(equity)),)


def test_the_same_settings_change_nothing(views: Views) -> None:
    found = preview(views, ORG, BEFORE, BEFORE, now=AT)
    assert (found.customers, found.complete, found.not_counted, found.examples) == (7, True, [], [])
    assert found.points_before == found.points_after == 450 + 450 + 40 + 120 + 700 + 100 + 100


def test_another_rate_moves_points_tiers_and_agreement(views: Views) -> None:
    found = preview(views, ORG, BEFORE, replace(BEFORE, accruals=rates("2")), now=AT)
    assert found.points_changed == 7
    assert found.points_after == 900 + 900 + 79 + 240 + 1400 + 200 + 200
    assert dict(found.tiers_changed) == {("Bronze", "Silver"): 1}, "tiers are of the balance where there is one"
    after = {each.customer: (each.points_after, each.verdict_after) for each in found.examples}
    assert after == {
        "a": (900, "unknown"),
        "b": (900, "discrepancy"),
        "c": (79, "unknown"),
        "d": (240, "unknown"),
        "e": (1400, "discrepancy"),
        "f": (200, "discrepancy"),
        "g": (200, "timing"),
    }
    assert (found.opening, found.closing) == (2, 0)


def test_another_equity_multiplier_concerns_those_whose_points_show_it(views: Views) -> None:
    found = preview(views, ORG, BEFORE, replace(BEFORE, accruals=rates("1", "1.5")), now=AT)
    assert [(each.customer, each.points_after) for each in found.examples] == [("d", 150)]


def test_rounding_down_takes_a_point_from_whoever_was_rounded_up(views: Views) -> None:
    found = preview(views, ORG, BEFORE, replace(BEFORE, rounding=RoundingMode.FLOOR), now=AT)
    assert [(each.customer, each.points_before, each.points_after) for each in found.examples] == [("c", 40, 39)]


def test_other_tiers_move_customers_but_not_those_whom_the_provider_named(views: Views) -> None:
    lower = (Tier("bronze", "Bronze", 0, "#CD7F32"), Tier("silver", "Silver", 400, "#C0C0C0"))
    found = preview(views, ORG, BEFORE, replace(BEFORE, tiers=lower), now=AT)
    assert dict(found.tiers_changed) == {("Bronze", "Silver"): 2}, "one by orders, one by balance"
    assert found.points_changed == 0


@pytest.mark.parametrize(("percent", "opening", "closing"), [("20", 0, 1), ("5", 1, 0), ("10", 0, 0)])
def test_another_tolerance_opens_and_closes_cases(views: Views, percent: str, opening: int, closing: int) -> None:
    after = replace(BEFORE, tolerance=Tolerance(Decimal(percent)))
    found = preview(views, ORG, BEFORE, after, now=AT)
    assert (found.opening, found.closing) == (opening, closing)


@pytest.mark.parametrize(
    ("change", "named", "because"),
    [
        ({"basis": Basis.SUBTOTAL}, ["basis"], "amounts without tax are not in the views"),
        ({"compare": Compare.EXPECTED}, ["compare"], "movements are not"),
        ({"rounding_per": RoundingPer.ORDER}, ["rounding_per"], "single orders are not"),
        ({"accruals": (*BEFORE.accruals, Accrual(Decimal(2), effective_from=AT - 1))}, ["accruals"], "nor their times"),
        ({"accruals": (*BEFORE.accruals, Accrual(Decimal(2), effective_from=AT + 1))}, [], "no order is that late"),
        ({"tolerance": Tolerance(Decimal(1))}, [], "it is all in the views"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_named(views: Views, change: dict[str, Any], named: list[str], because: str) -> None:
    found = preview(views, ORG, BEFORE, replace(BEFORE, **change), now=AT)
    assert found.not_counted == named, because


def test_there_is_an_end_to_it(views: Views) -> None:
    moments = iter([0.0, 99.0])
    found = preview(views, ORG, BEFORE, BEFORE, now=AT, clock=lambda: next(moments), longest_seconds=1)
    assert (found.customers, found.complete) == (0, False)
