"""How the points come about, bar by bar: it starts at what orders earn and ends at what the provider says."""

from __future__ import annotations

import pytest

from stream.contracts.cases import Cause, CauseKind
from stream.contracts.profiles import Verdict
from stream.web.pages.waterfall import movements_of, waterfall
from tests.sinks.records import a_profile

ADJUSTED, REDEEMED = Cause(CauseKind.ADJUSTMENTS, 140, count=1), Cause(CauseKind.REDEMPTIONS, -150, count=3)
REFUNDS, UNEXPLAINED = Cause(CauseKind.REFUNDS_NOT_APPLIED, 60, ("1",), 1), Cause(CauseKind.UNEXPLAINED, 30)
EARNED, EXPECTED, ALPINE = ("Earned by orders", "475"), "Expected", "Alpine IQ"
MOVED = "Redeemed at Alpine IQ"


@pytest.mark.parametrize(
    ("provider", "causes", "moved", "verdict", "bars"),
    [
        (None, (), None, Verdict.UNKNOWN, [EARNED]),
        (475, (), None, Verdict.MATCHED, [EARNED, (ALPINE, "475")]),
        (500, (), None, Verdict.MATCHED, [EARNED, ("Within the tolerance", "+25"), (ALPINE, "500")]),
        (620, (), None, Verdict.DISCREPANCY, [EARNED, ("Not explained", "+145"), (ALPINE, "620")]),
        (325, (), -150, Verdict.MATCHED, [EARNED, (MOVED, "−150"), (EXPECTED, "325"), (ALPINE, "325")]),
        (None, (), -150, Verdict.UNKNOWN, [EARNED, (MOVED, "−150"), (EXPECTED, "325")]),
        (
            645,
            (ADJUSTED, UNEXPLAINED),
            140,
            Verdict.DISCREPANCY,
            [
                EARNED,
                ("Adjusted by hand at Alpine IQ", "+140"),
                (EXPECTED, "615"),
                ("Not explained", "+30"),
                (ALPINE, "645"),
            ],
        ),
        (
            415,
            (REFUNDS, REDEEMED, UNEXPLAINED),
            None,
            Verdict.DISCREPANCY,
            [
                EARNED,
                ("Redeemed at Alpine IQ", "−150"),
                (EXPECTED, "325"),
                ("Refunds that Alpine IQ has not applied", "+60"),
                ("Not explained", "+30"),
                (ALPINE, "415"),
            ],
        ),
        # The case is of the last run: what moved since is part of the rest.
        (700, (UNEXPLAINED,), None, Verdict.DISCREPANCY, [EARNED, ("Not explained", "+225"), (ALPINE, "700")]),
    ],
)
def test_bars_lead_from_the_orders_to_the_provider(
    provider: int | None, causes: tuple[Cause, ...], moved: int | None, verdict: Verdict, bars: list[tuple[str, str]]
) -> None:
    known = {} if moved is None else {CauseKind.REDEMPTIONS: moved}
    drawn = waterfall(475, provider, causes, moved=known, verdict=verdict)
    assert [(bar.label, bar.points) for bar in drawn] == bars
    assert [bar.kind for bar in drawn if bar.kind == "rest"] == ["rest"] * ("Not explained" in dict(bars))


@pytest.mark.parametrize(("ours", "provider", "moved"), [(475, 620, None), (0, 0, None), (10, -40, -60), (5, 10**9, 7)])
def test_every_bar_is_within_the_picture(ours: int, provider: int, moved: int | None) -> None:
    for bar in waterfall(ours, provider, moved={} if moved is None else {CauseKind.EXPIRY: moved}):
        assert 0 <= bar.start <= bar.start + bar.width <= 100.001


@pytest.mark.parametrize(
    ("moved", "parts", "shown"),
    [
        (None, {}, {}),
        (-40, {"redeemed_points": -40}, {CauseKind.REDEMPTIONS: -40}),
        (
            5,
            {"redeemed_points": -40, "adjusted_points": 50, "expired_points": -5},
            {CauseKind.REDEMPTIONS: -40, CauseKind.ADJUSTMENTS: 50, CauseKind.EXPIRY: -5},
        ),
        (-60, {"redeemed_points": -40}, {CauseKind.REDEMPTIONS: -40, CauseKind.OTHER_MOVEMENTS: -20}),
        (-60, {}, {CauseKind.OTHER_MOVEMENTS: -60}),
        (0, {"redeemed_points": -5, "adjusted_points": 5}, {CauseKind.REDEMPTIONS: -5, CauseKind.ADJUSTMENTS: 5}),
    ],
)
def test_what_the_provider_moved_is_shown_by_kind(
    moved: int | None, parts: dict[str, object], shown: dict[CauseKind, int]
) -> None:
    assert movements_of(a_profile(10, moved_points=moved, **parts)) == shown
