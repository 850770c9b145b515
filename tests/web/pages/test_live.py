"""What moves while one looks: said by the stream of the page, as fragments that take the place of what is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from stream.web.access.sessions import COOKIE
from tests.web.pages.browser import served
from tests.web.pages.desk import Desk, Seen, desk_of
from tests.web.pages.shops import (
    NOW,
    ORG,
    a_case,
    busy_shop,
    case_record,
    empty_shop,
    outage,
    run_ended,
    run_under_way,
)

SECONDS = 10


@contextmanager
def told(desk: Desk, path: str) -> Iterator[Iterator[tuple[str, str]]]:
    """The events of a stream, each with the text of its fragment."""
    with served(desk.app) as address:
        cookies = {COOKIE: asyncio.run(desk.site.sessions.begin("user:maria"))}
        with httpx.stream("GET", f"{address}{path}", cookies=cookies, timeout=SECONDS) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    name, data = "", ""
    for line in lines:
        if line.startswith("event: "):
            name, data = line.removeprefix("event: "), ""
        elif line.startswith("data:"):
            data += line.removeprefix("data:")
        elif not line and name:
            yield name, Seen(data).text
            name = ""


def until(events: Iterator[tuple[str, str]], wanted: str, text: str) -> str:
    """The first fragment of this name that has the text."""
    return next(said for name, said in events if name == wanted and text in said)


def test_today_says_what_is_new_and_keeps_its_figures_current(tmp_path: Path) -> None:
    desk = desk_of(tmp_path, busy_shop(61), run_under_way())
    with told(desk, f"/live?org={ORG}&since={NOW}&at=/") as events:
        assert until(events, "cases", "not resolved") == "4 not resolved"
        assert until(events, "today", "need you").startswith("4 customers need you. 30 agree. Alpine IQ is current")
        case = msgspec.structs.replace(a_case("2005", 100, 300), opened_at=NOW + 500)
        desk.log.write([case_record(case, "2005"), *run_ended(), *outage()])
        assert until(events, "outage", "not answered").startswith("Alpine IQ has not answered since 14:11.")
        assert until(events, "cases", "5") == "5 not resolved"
        assert until(events, "news", "show") == "1 new case, a run has ended: show"
        assert "Alpine IQ does not answer." in until(events, "today", "does not answer")


@pytest.mark.parametrize("path", ["/customers", "/cases/2000/1", "/runs"])
def test_other_pages_hear_how_current_everything_is_and_no_news(tmp_path: Path, path: str) -> None:
    desk = desk_of(tmp_path, busy_shop(21))
    names = set()
    with told(desk, f"/live?org={ORG}&since={NOW}&at={path}") as events:
        until(events, "asof", "Balances as of 12 h ago")
        desk.log.write([*run_ended(), *outage()])
        for name, said in events:
            names.add(name)
            if name == "outage" and said:
                break
    assert names <= {"asof", "outage", "cases"}


def test_runs_say_that_one_has_ended_and_what_came_of_it(tmp_path: Path) -> None:
    desk = desk_of(tmp_path, empty_shop(), run_under_way())
    with told(desk, f"/live/runs?org={ORG}&since={NOW}") as events:
        assert "1,200 orders of 640 customers" in until(events, "runs", "Reading orders")
        desk.log.write(run_ended())
        said = until(events, "runs", "Show it")
    assert said.startswith("110 agree, 6 need review. The last run ended")
    assert "Run of everybody ended" in said
