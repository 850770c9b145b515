from __future__ import annotations

from itertools import pairwise

import pytest

from producers.alpine_iq.client import FailedInSuccess
from producers.alpine_iq.slices import HOUR_MS, Slices
from producers.http import NotFound
from stream.contracts.names import Millis
from stream.errors import LoyaltyError, Refused, Unavailable

DAY_MS = 24 * HOUR_MS
START = Millis(1_000 * DAY_MS)
END = Millis(START + 400 * DAY_MS)


class Vendor:
    """Lists one row an hour; refuses more than `days` at once, answers at most `rows` of them."""

    def __init__(
        self, days: float = 10_000, rows: int = 10**9, every_ms: int = HOUR_MS, error: LoyaltyError | None = None
    ) -> None:
        self.days = days
        self.rows = rows
        self.every_ms = every_ms
        self.error = error or Refused("the range is too wide")
        self.calls = 0

    async def __call__(self, start: int, end: int) -> list[bytes]:
        self.calls += 1
        if (end - start) * 1000 > self.days * DAY_MS:
            raise self.error
        first = -(-start * 1000 // self.every_ms)
        return [b"%d" % number for number in range(first, end * 1000 // self.every_ms + 1)][: self.rows]


@pytest.mark.parametrize(
    ("vendor", "calls", "because"),
    [
        (Vendor(every_ms=7 * HOUR_MS), 1, "a vendor without limits: one call"),
        (Vendor(days=365, every_ms=7 * HOUR_MS), 3, "a year at most: once in vain, then two halves"),
        (Vendor(days=31, every_ms=7 * HOUR_MS), 4 + 16, "a month at most"),
        (Vendor(days=31, every_ms=7 * HOUR_MS, error=FailedInSuccess("range")), 4 + 16, "said under HTTP 200"),
        (Vendor(rows=1_000, every_ms=7 * HOUR_MS), 3, "an answer of just 1,000 rows was cut off: asked for in halves"),
    ],
)
async def test_everything_is_read_whatever_the_vendor_limits(vendor: Vendor, calls: int, because: str) -> None:
    found = await Slices(vendor).read(START, END)
    assert vendor.calls == calls, because
    assert (found[0].start, found[-1].end) == (START, END)
    assert all(one.end == other.start for one, other in pairwise(found))
    rows = {row for each in found for row in each.rows}
    assert {b"%d" % number for number in range(START // (7 * HOUR_MS) + 1, END // (7 * HOUR_MS))} <= rows


async def test_what_the_vendor_took_is_remembered() -> None:
    vendor = Vendor(days=120, every_ms=7 * HOUR_MS)
    slices = Slices(vendor)
    await slices.read(START, END)
    vendor.calls = 0
    await slices.read(START, END)
    assert vendor.calls == 4, "100 days each"


@pytest.mark.parametrize(
    ("error", "calls", "because"),
    [
        (Refused("no permission"), 7, "400 days, halved until it is not more than a week"),
        (NotFound("no such list"), 1, "nothing that a narrower range would help"),
        (Unavailable("no answer"), 1, "the client has repeated it already"),
    ],
)
async def test_a_vendor_that_refuses_everything_is_left_alone(error: LoyaltyError, calls: int, because: str) -> None:
    vendor = Vendor(days=0, error=error)
    slices = Slices(vendor)
    with pytest.raises(type(error)):
        await slices.read(START, END)
    assert vendor.calls == calls, because
    vendor.days = 10_000
    vendor.every_ms = 7 * HOUR_MS
    vendor.calls = 0
    await slices.read(START, END)
    assert vendor.calls == 1, "and it is asked for all at once again"


async def test_a_busy_hour_of_a_round_number_is_believed() -> None:
    vendor = Vendor(rows=100, every_ms=1_000)
    await Slices(vendor).read(START, Millis(START + 2 * HOUR_MS))
    assert vendor.calls == 3
