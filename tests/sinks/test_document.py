"""The customer document."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from stream.contracts.profiles import Verdict
from stream.sinks.document import FIELDS, document_id, document_of, iso, iso_millis, json_line, utc
from tests.sinks.records import AT, ORG, a_profile

KNOWN: dict[str, Any] = {
    "points_from_alpine": 475,
    "discrepancy": 25,
    "alpine_user_id": "c-1",
    "balance_as_of": AT,
    "home_location": "1000",
}
OPTIONAL = {"pointsFromAlpine", "loyaltyDiscrepancy", "alpineUserId", "balanceAsOf", "homeLocationId"}


def test_a_profile_with_everything_known_has_exactly_the_designs_fields() -> None:
    assert tuple(document_of(ORG, "3528", a_profile(**KNOWN))) == FIELDS


def test_what_is_unknown_is_absent_and_never_zero() -> None:
    assert set(document_of(ORG, "3528", a_profile())) == set(FIELDS) - OPTIONAL


@pytest.mark.parametrize(
    ("changed", "field", "value", "because"),
    [
        ({"discrepancy": 0}, "loyaltyDiscrepancy", 0, "a difference of 0 is known"),
        ({"discrepancy": -25}, "loyaltyDiscrepancy", -25, "signed: the provider has fewer"),
        ({"points_from_alpine": 0}, "pointsFromAlpine", 0, "a balance of 0 is known"),
        ({"total_spent_minor": 3955}, "totalSpent", "39.55", "money is decimal text"),
        ({"total_spent_minor": -5}, "totalSpent", "-0.05", "refunds may exceed purchases"),
        ({"total_spent_minor": 3955, "currency": "JPY"}, "totalSpent", "3955", "yen have no decimals"),
        ({"verdict": Verdict.MATCHED}, "loyaltyReconciled", True, "matched is reconciled"),
        ({"verdict": Verdict.DISCREPANCY}, "needsReview", True, "a discrepancy needs review"),
        ({"verdict": Verdict.DISCREPANCY}, "loyaltyReconciled", False, "and is not reconciled"),
        ({"verdict": Verdict.TIMING}, "loyaltyReconciled", False, "timing is neither"),
        ({"verdict": Verdict.TIMING}, "needsReview", False, "timing is neither"),
        ({"verdict": Verdict.UNKNOWN}, "loyaltyReconciled", False, "unknown is never reconciled"),
        (
            {"calculated_at": AT},
            "pointsLastCalculated",
            datetime(2026, 1, 30, 20, 21, 58, 3000, UTC),
            "exact to the ms",
        ),
    ],
)
def test_a_field_says_what_the_profile_says(changed: dict[str, Any], field: str, value: object, because: str) -> None:
    assert document_of(ORG, "3528", a_profile(**changed))[field] == value, because


def test_a_line_of_json_has_times_in_milliseconds() -> None:
    line = json_line(document_of(ORG, "3528", a_profile(calculated_at=AT)))
    assert b'"pointsLastCalculated":"2026-01-30T20:21:58.003Z"' in line


def test_the_id_is_org_and_customer() -> None:
    assert document_id("brand_a_b", "3528") == "brand_a_b_3528"


@pytest.mark.parametrize("millis", [0, 1, 999, AT, 4_102_444_799_999])
def test_times_survive_being_written_and_read(millis: int) -> None:
    assert iso_millis(iso(utc(millis))) == millis
