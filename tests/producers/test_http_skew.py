"""`started_at` is the start of the request by the vendor's clock."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from producers.http.skew import Skew
from tests.producers.hand_clock import HandClock
from tests.producers.scripted import Script, answer, vendor_http

NOW = 1_700_000_000.4


@pytest.mark.parametrize(
    ("vendor_ahead", "corrected", "because"),
    [
        (0.0, 0.0, "same clock"),
        (0.5, 0.0, "Date is cut to the second: half a second cannot be seen"),
        (-0.3, 0.0, "nor can this"),
        (10.0, 9.6, "the least correction that agrees with Date"),
        (-10.0, -9.4, "the least correction that agrees with Date"),
    ],
)
def test_one_answer_corrects_no_more_than_it_proves(vendor_ahead: float, corrected: float, because: str) -> None:
    skew = Skew()
    skew.observe(formatdate(NOW + vendor_ahead, usegmt=True), NOW, NOW)
    assert skew.seconds == pytest.approx(corrected), because


def test_the_correction_stands_still_while_answers_agree_with_it() -> None:
    skew, seen = Skew(), set()
    for step in range(200):
        started = NOW + step * 1.37
        skew.observe(formatdate(started + 0.2 + 10.0, usegmt=True), started, started + 0.2 + step % 3)
        seen.add(round(skew.seconds, 3))
    assert max(seen) <= 10.2
    assert len(seen) < 8


@pytest.mark.parametrize("date", ["", "yesterday", "Tue, 99 Nov 2023 22:13:20 GMT"])
def test_a_missing_or_broken_date_corrects_nothing(date: str) -> None:
    skew = Skew()
    skew.observe(date, NOW, NOW)
    assert skew.corrected(NOW) == 1_700_000_000_400


@pytest.mark.parametrize("odd", [NOW + 400 * 86_400, NOW - 86_400, 0.0])
def test_one_answer_with_a_date_far_off_moves_no_time(odd: float) -> None:
    """An order that was seen in a year to come would stay as it was then until that year."""
    skew = Skew()
    for date in (NOW + 10, odd, NOW + 10, odd, NOW + 10):
        skew.observe(formatdate(date, usegmt=True), NOW, NOW)
        assert skew.seconds == pytest.approx(9.6)


def test_a_clock_that_is_far_off_is_believed_when_it_says_so_again() -> None:
    skew = Skew()
    for started in (NOW, NOW + 0.2, NOW + 1.5):
        skew.observe(formatdate(started + 3600.6, usegmt=True), started, started + 0.1)
    assert skew.seconds == pytest.approx(3600, abs=1.1)


async def test_an_answer_carries_its_start_by_the_vendors_clock() -> None:
    time = HandClock(NOW)
    date = {"Date": formatdate(NOW + 3600.6, usegmt=True)}
    async with vendor_http(Script(answer(200, headers=date)), time) as http:
        await http.call("POST", "/auth", authorized=False)
        started_at = (await http.call("GET", "/thing")).started_at
    assert started_at == 1_700_003_601_000
