"""What the vendors are taken to do, judged by what was seen of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.engine.ports import Input
from tests.web.pages.desk import Seen, desk_of
from tests.web.pages.shops import busy_shop, empty_shop, outage

TEXTS = (
    "Alleaves: Every order has an id, a customer and a total.",
    "Alleaves: Order statuses are among those that the settings name.",
    "Alleaves: Orders do not vanish in numbers from one day to the next.",
    "Alleaves: It takes as many requests as it is sent.",
    "Alleaves: The code that it keeps of a customer is Alpine IQ's id.",
    "Alpine IQ: Every member has an id and whole points.",
    "Alpine IQ: It takes as many requests as it is sent.",
    "Alpine IQ: It answers.",
)
FAILS, HOLDS, UNSEEN = "Fails", "Holds", "Not seen"


@pytest.mark.parametrize(
    ("records", "judged"),
    [
        (empty_shop(), [UNSEEN] * 8),
        (busy_shop(40), [FAILS, FAILS, HOLDS, HOLDS, HOLDS, FAILS, FAILS, HOLDS]),
        ([*busy_shop(40), *outage()], [FAILS, FAILS, HOLDS, HOLDS, HOLDS, FAILS, FAILS, FAILS]),
    ],
    ids=["nothing read", "a month", "an outage"],
)
async def test_each_assumption_is_judged_by_what_was_seen(
    tmp_path: Path, records: list[Input], judged: list[str]
) -> None:
    async with desk_of(tmp_path, records).browser() as browser:
        text = Seen((await browser.get("/problems")).text).text
    assert [word for word, each in zip(judged, TEXTS, strict=True) if f"{word} {each}" not in text] == []


async def test_figures_are_behind_the_judgement(tmp_path: Path) -> None:
    async with desk_of(tmp_path, busy_shop(40)).browser() as browser:
        text = Seen((await browser.get("/problems")).text).text
    assert "12 of 116 calls throttled, 30 days" in text
    assert "116 of 116 calls, 30 days" in text
