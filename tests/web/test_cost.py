"""Whatever the size of the shop, a request asks few questions, and each looks at little more than it shows."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from fastapi.routing import APIRoute

from bench.large_shop import NOW, ORG, Size, write_views
from bench.web import AFTER_A_CURSOR, API, BOTH, CALLS, PAGES, filled
from stream.sinks.views import shown_pages
from stream.sinks.views.connection import Cell, Row
from stream.sinks.views.file import open_for_reading
from stream.sinks.views.read import Views
from stream.web.openapi import document
from stream.web.pages import routers
from stream.web.site import site_of
from tests.web.pages.desk import Desk
from tests.web.test_queries import faults
from tests.web.world import LOCAL_KEY, QUICK, Clock, Follower, Log

SMALL = Size(customers=2_000, entries=3, runs=200, letters=200, alerts=400, messages=100, audited=100)
QUESTIONS_MAX = 24
STEPS_OF_A_QUESTION = 1_500
STEPS_OF_A_ROW = 150
"""Of SQLite's virtual machine; reading a row of 25 columns and what belongs to it takes fewer. Looking at every
customer would take more than 10,000."""
GRAIN = 10
COUNTS = re.compile(r"\b(?:count|sum)\(")
"""Figures: some hundred numbers are added up, or an index is counted."""
TWO_INDEXES = (*BOTH, "tier=Bronze&shop=1011", "verdict=discrepancy&tier=Gold", "mine=1", "assigned=", "reason=")
"""What is found by one index and picked out by a second condition: what is passed over counts too."""


class Question(NamedTuple):
    sql: str
    values: tuple[Cell, ...]
    rows: int
    steps: int

    @property
    def excess(self) -> bool:
        """More work than for what it shows."""
        return not COUNTS.search(self.sql) and self.steps > STEPS_OF_A_QUESTION + STEPS_OF_A_ROW * self.rows


class Costed(Views):
    """Views that note what every question costs."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file = path
        self.asked: list[Question] = []

    def rows(self, sql: str, values: tuple[Cell, ...] = ()) -> list[Row]:
        if sql.startswith("PRAGMA"):  # is about the connection
            return super().rows(sql, values)
        connection = open_for_reading(self._file)
        try:
            found, steps = _counted(connection, sql, values)
        finally:
            connection.close()
        self.asked.append(Question(sql, values, len(found), steps))
        return found


def _counted(connection: sqlite3.Connection, sql: str, values: tuple[Cell, ...]) -> tuple[list[Row], int]:
    grains = 0

    def passed() -> int:
        nonlocal grains
        grains += 1
        return 0

    connection.set_progress_handler(passed, GRAIN)
    return connection.execute(sql, values).fetchall(), grains * GRAIN


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    path = tmp_path_factory.mktemp("cost") / "views.db"
    write_views(path, SMALL)
    views, log, clock = Costed(path), Log(path), Clock(NOW)
    site = site_of(
        *(views, Follower(), log),
        local_key=LOCAL_KEY,
        calls_a_minute=100_000,
        passwords=QUICK,
        clock=clock,
        monotonic=clock.monotonic,
    )
    return Desk(path, views, log, clock, site)


async def asked_for(shop: Desk, path: str, client: httpx.AsyncClient | None = None) -> list[Question]:
    views = shop.views
    assert isinstance(views, Costed)
    views.asked.clear()
    async with shop.client(headers={"accept": "text/html, application/json"}) as client:
        answer = await client.get(path)
    assert answer.status_code == 200, answer.text[:500]
    return list(views.asked)


def look_at(shop: Desk, questions: list[Question], path: str) -> None:
    assert len(questions) <= QUESTIONS_MAX
    for question in questions:
        if "pragma_" not in question.sql:
            assert faults(shop, question.sql, question.values) == [], question.sql
        if not any(each in path for each in TWO_INDEXES):
            assert not question.excess, question


@pytest.mark.parametrize("template", [*PAGES, *CALLS])
async def test_a_request_does_no_more_work_than_for_what_it_shows(shop: Desk, template: str) -> None:
    path = filled(template, random.Random(5), SMALL)
    look_at(shop, await asked_for(shop, path), path)


@pytest.mark.parametrize("path", AFTER_A_CURSOR)
async def test_a_list_goes_on_without_reading_what_was_before(shop: Desk, path: str) -> None:
    name = "after" if path.startswith("/alerts") else "cursor"
    following = None
    for _ in range(3):
        address = f"{API}{path}limit=20" + (f"&{name}={following}" if following else "")
        async with shop.client() as client:
            following = (await client.get(address)).json()["next"]
        look_at(shop, await asked_for(shop, address), path)


@pytest.mark.parametrize(
    ("ask", "rows"),
    [
        (lambda views: shown_pages.opened_since(views, ORG, NOW), 1),
        (lambda views: shown_pages.names_of(views, ORG, ["100001", "100002", "nobody"]), 2),
        (lambda views: shown_pages.run_before(views, ORG, NOW), 1),
        (lambda views: shown_pages.unexplained_points(views, ORG, "1003"), 1),
        (lambda views: views.needing_review(ORG, 10, after=(300, "100100")), 10),
        (lambda views: views.customers_at_email(ORG, "NOBODY@example.com"), 0),
        (lambda views: views.customers_at_phone(ORG, "+15550100000"), 1),
        (lambda views: views.alert_ends(), 8),
        (lambda views: views.run(f"{ORG}:daily:1"), 1),
        (lambda views: views.dead_letter(0, 7), 0),
        (lambda views: views.api_key("none"), 0),
        (lambda views: views.audit(ORG, limit=5), 5),
    ],
)
def test_what_else_is_asked_is_answered_from_indexes_too(shop: Desk, ask: Callable[[Views], object], rows: int) -> None:
    views = shop.views
    assert isinstance(views, Costed)
    views.asked.clear()
    ask(views)
    assert [question.rows for question in views.asked] == [rows]
    look_at(shop, views.asked, "")


@pytest.mark.parametrize(
    ("sql", "because"),
    [
        ("SELECT customer FROM people WHERE org = 'bench' AND email = 'x' LIMIT 1", "the index has it in lower case"),
        ("SELECT customer FROM profiles WHERE org = 'bench' AND points = -1 LIMIT 9", "no index has the points"),
        ("SELECT run FROM runs WHERE org = 'bench' AND reason = 'x' LIMIT 1", "nor the reasons of runs"),
    ],
)
def test_a_question_that_reads_all_of_an_org_would_be_noticed(shop: Desk, sql: str, because: str) -> None:
    views = shop.views
    assert isinstance(views, Costed)
    views.asked.clear()
    views.rows(sql)
    assert faults(shop, sql, ()) == [], "the plan alone does not show it"
    assert views.asked[0].excess, because


ELSEWHERE = {"/assets/{path:path}", "/live", "/live/runs", "/live/runs/{run_id}"}
"""No questions; and streams, which ask what the pages ask."""
STREAMS = ("/alerts/stream", "/events")


def test_every_page_and_every_call_that_reads_is_measured(shop: Desk) -> None:
    pages = [route for router in routers() for route in router.routes if isinstance(route, APIRoute)]
    looks = {route.path for route in pages if "GET" in route.methods} - ELSEWHERE
    calls = {path for path, methods in document(shop.app)["paths"].items() if "get" in methods}
    looks |= {path for path in calls if not path.endswith(STREAMS)}
    asked = [filled(template, random.Random(5), SMALL).partition("?")[0] for template in (*PAGES, *CALLS)]
    assert len(looks) > 30
    assert [path for path in looks if not any(_like(path).fullmatch(each) for each in asked)] == []


def _like(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(path)))
