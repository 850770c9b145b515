"""Every question that a request asks is answered from an index, and their number does not grow with the data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream.sinks.views.connection import Cell, Row
from stream.sinks.views.file import open_for_reading
from stream.sinks.views.read import Views
from tests.sinks.records import ORG
from tests.web.test_lists import many
from tests.web.test_roles import CALLS, Call
from tests.web.world import LOCAL_KEY, World, token_of, world_of

LARGE = ("profiles", "people", "entries", "cases", "alerts", "runs", "dead_letters", "deliveries", "audit", "phones")
"""Tables that grow with customers or time."""
QUERIES_MAX = 20
FIGURES = re.compile(r"SCAN \S+ (?:USING COVERING INDEX|VIRTUAL TABLE INDEX)")
"""Allowed beside a search: counting over an index, which is read as a whole; a search for words."""
SORTS_FEW = ("letter_decisions", "GROUP BY", "DISTINCT")
"""Questions whose answer is a few groups: they may be sorted."""


class Asked(Views):
    """Views that remember every question."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked: list[tuple[str, tuple[Cell, ...]]] = []

    def rows(self, sql: str, values: tuple[Cell, ...] = ()) -> list[Row]:
        self.asked.append((sql, values))
        return super().rows(sql, values)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world_of(tmp_path_factory.mktemp("queries"), many(), views_class=Asked)


LISTS = [
    Call("get", "", f"/api/v1/orgs/{ORG}{path}", None)
    for path in (
        *(f"/customers?{each}" for each in ("tier=Gold", "verdict=discrepancy", "shop=a", "case=live", "case=open")),
        *(f"/customers?{each}" for each in ("q=zoe", "q=5551234567", "q=zoe&tier=Gold", "tier=Gold&shop=a")),
        *("/cases?state=open", "/cases?assigned=ana", "/runs?customerId=1", "/dead-letters?reason=x"),
        *("/dead-letters?undecided=true&stage=x", "/settings/versions/1"),
    )
]
PAGED = ["customers", "customers?q=customer", "cases", "runs", "dead-letters", "customers/3528/entries", "alerts"]


async def asked_by(world: World, call: Call, token: str = LOCAL_KEY) -> list[tuple[str, tuple[Cell, ...]]]:
    views = world.views
    assert isinstance(views, Asked)
    views.asked.clear()
    async with world.client(token) as client:
        answer = await client.get(call.path.replace("{org}", ORG))
    assert answer.status_code < 300, answer.text
    return list(views.asked)


def plan(world: World, sql: str, values: tuple[Cell, ...]) -> list[str]:
    connection = open_for_reading(world.path)
    try:
        return [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    finally:
        connection.close()


def faults(world: World, sql: str, values: tuple[Cell, ...]) -> list[str]:
    """Steps of a plan that read more than they show."""
    steps = plan(world, sql, values)
    found = [step for step in steps if step.startswith("SCAN") and _reads_all(step, sql)]
    if not any(word in sql for word in SORTS_FEW):
        found += [step for step in steps if "USE TEMP B-TREE" in step]
    return found


def _reads_all(step: str, sql: str) -> bool:
    if FIGURES.match(step):
        return False
    table = step.split()[1]
    aliases = {alias: name for name, alias in re.findall(r"(?:FROM|JOIN) (\w+) (\w)\b", sql)}
    return aliases.get(table, table) in LARGE


GETS = [call for call in CALLS if call.method == "get" and "{place}" not in call.path] + LISTS


@pytest.mark.parametrize("call", GETS, ids=lambda call: call.path)
async def test_a_request_is_answered_from_indexes_with_few_questions(crowd: World, call: Call) -> None:
    asked = await asked_by(crowd, call)
    assert 0 <= len(asked) <= QUERIES_MAX
    for sql, values in asked:
        if not sql.startswith("PRAGMA"):
            assert faults(crowd, sql, values) == [], sql


@pytest.mark.parametrize("text", ["zoe", "5551234567", "zoe@example.com", "3528", "zoe quinn"])
@pytest.mark.parametrize("more", ["", "&tier=Gold", "&shop=a&verdict=matched"])
async def test_whom_contact_data_is_masked_to_searches_by_indexes_too(crowd: World, text: str, more: str) -> None:
    call = Call("get", "", f"/api/v1/orgs/{ORG}/customers?q={text}{more}", None)
    for sql, values in await asked_by(crowd, call, token_of("viewer")):
        assert sql.startswith("PRAGMA") or faults(crowd, sql, values) == [], sql


@pytest.mark.parametrize("path", PAGED)
async def test_the_page_after_a_cursor_is_found_without_reading_those_before(crowd: World, path: str) -> None:
    joined = "&" if "?" in path else "?"
    async with crowd.client() as client:
        first = (await client.get(f"/api/v1/orgs/{ORG}/{path}{joined}limit=2")).json()
    name = "after" if path == "alerts" else "cursor"
    call = Call("get", "", f"/api/v1/orgs/{ORG}/{path}{joined}limit=2&{name}={first['next']}", None)
    for sql, values in await asked_by(crowd, call):
        if not sql.startswith("PRAGMA"):
            assert faults(crowd, sql, values) == [], sql
            keyset = any(
                step.startswith("SEARCH") and ("<" in step or ">" in step) for step in plan(crowd, sql, values)
            )
            listed = "LIMIT" in sql and "ORDER BY" in sql
            assert keyset or not listed or "MATCH" in sql, sql


async def test_the_number_of_questions_does_not_grow_with_the_list(crowd: World) -> None:
    for path in ("customers", "cases", "runs", "dead-letters"):
        few, more = [
            len(await asked_by(crowd, Call("get", "", f"/api/v1/orgs/{ORG}/{path}?limit={limit}", None)))
            for limit in (1, 7)
        ]
        assert few == more, path


@pytest.mark.parametrize(
    ("sql", "because"),
    [
        ("SELECT * FROM profiles WHERE points = 1", "no index has the points"),
        ("SELECT * FROM runs WHERE phase = 'done'", "nor the phase"),
        ("SELECT customer FROM profiles WHERE org = 'a' ORDER BY points LIMIT 9", "it would have to be sorted"),
        ("SELECT p.customer FROM people p WHERE p.name LIKE '%a%'", "nor the inside of a name"),
    ],
)
def test_a_question_without_an_index_would_be_noticed(crowd: World, sql: str, because: str) -> None:
    assert faults(crowd, sql, ()) != [], because
