"""Times as a vendor may write them."""

from __future__ import annotations

from datetime import UTC, date, tzinfo
from zoneinfo import ZoneInfo

import pytest

from producers.alleaves.times import months_between, utc_millis
from stream.errors import BadRecord

NEW_YORK = ZoneInfo("America/New_York")
AT = 1_769_804_518_000  # 2026-01-30T20:21:58Z


@pytest.mark.parametrize(
    ("written", "zone", "millis"),
    [
        ("2026-01-30T20:21:58.003Z", UTC, AT + 3),
        ("2026-01-30T20:21:58Z", NEW_YORK, AT),
        ("2026-01-30T15:21:58-05:00", UTC, AT),
        ("2026-01-30T15:21:58-0500", UTC, AT),
        ("2026-01-30T20:21:58", UTC, AT),
        ("2026-01-30 20:21:58", UTC, AT),
        ("2026-01-30T15:21:58", NEW_YORK, AT),
        ("2026-01-30T20:21:58.0034567", UTC, AT + 3),
        (" 2026-01-30T20:21:58Z ", UTC, AT),
        ("2026-01-30", UTC, 1_769_731_200_000),
        (AT // 1000, UTC, AT),
        (AT, UTC, AT),
        (str(AT), UTC, AT),
    ],
)
def test_a_time_is_read_in_every_form(written: object, zone: tzinfo, millis: int) -> None:
    assert utc_millis(written, zone) == millis


@pytest.mark.parametrize(
    "written",
    [None, "", "yesterday", "01/30/2026", "2026-13-01", True, [], {}, 12, "0001-01-01", "9999-12-31T23:59:59Z", 10**30],
)
def test_what_is_no_time_is_refused(written: object) -> None:
    with pytest.raises(BadRecord):
        utc_millis(written)


def test_months_cover_every_day_once_in_order() -> None:
    assert months_between(date(2025, 12, 20), date(2026, 2, 3)) == [
        (date(2025, 12, 20), date(2025, 12, 31)),
        (date(2026, 1, 1), date(2026, 1, 31)),
        (date(2026, 2, 1), date(2026, 2, 3)),
    ]
