"""What hostile people store or send is shown as text, or refused: in every route, in every form."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from msgspec.structs import replace

from stream.contracts import topics
from stream.contracts.access import Role
from stream.contracts.alerts import Alert, AlertKind
from stream.contracts.audit import AUDIT, Action, Audited
from stream.contracts.cases import AcceptedDifference, CaseStep, Cause, CauseKind
from stream.contracts.deliveries import DELIVERIES
from stream.contracts.people import PEOPLE, Person
from stream.contracts.runs import Phase, RunFailed, RunKind
from stream.contracts.settings import OrgSettings, Tier
from stream.engine.ports import Input
from stream.web.openapi import document
from tests.sinks.records import (
    AT,
    ORG,
    a_profile,
    alert_record,
    case_record,
    dead_letter_record,
    entry_record,
    person_record,
    profile_record,
    record,
    run_record,
    settings_record,
)
from tests.web.pages.desk import Desk, Seen, inline_parts
from tests.web.test_roles import CALLS, IN, Call
from tests.web.world import CASE, DELIVERY, DISCREPANCY, ENTRY, RUN, World, key_record, world_of

HERE = f"/api/v1/orgs/{ORG}"
MARKUP = [
    "<script>alert(1)</script>",
    '"><iframe srcdoc=x onload=alert(1)>',
    "{{7*7}}${7*7}",
    "</title><b>",
    "javascript:1",
]
FORMULAS = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    " =1",
    "\t=1",
    "\r=1",
    "\n=1",
    "\xa0=1",
    "\x00=1",
    "\ufeff=1",
]
FORMULAS += ["\u202e=1", "\u200b@x", "＝1", "－1"]
ODD = [
    "\u202egnirts\u202c",
    "\u2067x",
    "x" * 10_000,
    "a\x00b",
    "line\nbreak\r\n\x07",
    "'; DROP TABLE profiles;--",
    "😀",
    "%s%n",
]
STORED = MARKUP + FORMULAS + ODD
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def stored() -> Iterator[Input]:
    """Every text, wherever a record has text."""
    for n, text in enumerate(STORED):
        customer = f"h{n}"
        tier = Tier("bronze", text, 0, text, (text,))
        step = CaseStep("noted", AT, text, note=text, to=text)
        causes = (Cause(CauseKind.UNEXPLAINED, 51, (text,), 1, text),)
        case = replace(CASE, id=f"{ORG}:{customer}:1", causes=causes, history=(step,), assigned_to=text)
        sent = replace(DELIVERY, message=f"m-{n}", channel=text, title=text, reason=text, alerts=(text,))
        done = Audited(
            id=f"h{n}", action=Action.CASE_NOTED, actor=text, target=text, reason=text, detail={"note": text}
        )
        yield from (
            settings_record(n + 2, OrgSettings(tiers=(tier,), currency=text)),
            profile_record(customer, a_profile(9, tier=text, home_location=text, alpine_user_id=text, **DISCREPANCY)),
            person_record(customer, Person(text, (text,), text, AT)),
            entry_record(customer, replace(ENTRY, id=text, order=text, why_not=text, tier=text)),
            case_record(customer, replace(case, accepted=AcceptedDifference(51, text, AT, text))),
            run_record(RunFailed(f"{ORG}:daily:{n}", RunKind.DAILY, Phase.ORDERS, text, AT, AT, by=text)),
            alert_record(Alert(kind=AlertKind.RUN_FAILED, org=ORG, reason=text, run=text), f"h-{n}"),
            dead_letter_record(text.encode(), text, stage=text[:100]),
            record(topics.DELIVERIES, f"{ORG}:m-{n}:c", DELIVERIES.encode(sent, org=ORG, at=AT, source="notify")),
            record(topics.AUDIT, ORG, AUDIT.encode(done, org=ORG, at=AT, source="web")),
            key_record(Role.VIEWER, name=text),
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world_of(tmp_path_factory.mktemp("hostile"), stored())


# ── stored ───────────────────────────────────────────────────────────────────────────────────────────────────

LISTS = [f"{HERE}{path}" for path in ("/customers", "/cases", "/runs", "/alerts", "/deliveries", "/audit", "/keys")]
LISTS += [f"{HERE}/settings/versions"]
REDACTED = [f"{HERE}/dead-letters", f"{HERE}/members"]
"""Lists that hold less than what was stored."""
ONES = [
    *(
        f"{HERE}{path}"
        for path in ("", "/settings", "/dead-letters/reasons", "/customers?q=script", "/cases?assigned=x")
    ),
    *("/api/v1/status", "/api/v1/orgs", f"/api/loyalty/sync?orgId={ORG}"),
]
EACH = [
    *(f"{HERE}/customers/h{{n}}{path}" for path in ("", "/entries", "/explanation")),
    *(
        f"{HERE}/cases/{ORG}:h{{n}}:1",
        f"{HERE}/runs/{ORG}:daily:{{n}}",
        f"/api/loyalty/sync?orgId={ORG}&customerId=h{{n}}",
    ),
]


def texts(value: object) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for item in value.items() for each in item for text in texts(each))
    elif isinstance(value, list):
        yield from (text for each in value for text in texts(each))


def is_data(answer: httpx.Response) -> None:
    """No browser takes it for a page."""
    assert answer.status_code == 200, answer.text[:300]
    assert answer.headers["content-type"] in ("application/json", "text/csv; charset=utf-8")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", [*LISTS, *REDACTED, f"{HERE}/customers/h0/entries"])
async def test_every_list_and_export_shows_stored_text_as_text(world: World, path: str) -> None:
    async with world.client() as client:
        shown, exported, table = [
            await client.get(path, params=parameters)
            for parameters in ({"limit": 500}, {"export": "json"}, {"export": "csv"})
        ]
    for answer in (shown, exported, table):
        is_data(answer)
    for answer in (shown, exported):
        found = set(texts(answer.json()))
        assert path not in LISTS or set(STORED) <= found
    rows = list(csv.reader(io.StringIO(table.text, newline="")))
    assert len(rows) == len(exported.json()) + 1
    assert {len(row) for row in rows} == {len(rows[0])}
    assert [cell for row in rows for cell in row if is_formula(cell)] == []


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet might compute it: what it drops in front of a formula dropped."""
    seen = cell.lstrip("".join(c for c in set(cell) if unicodedata.category(c) in ("Cc", "Cf", "Zs", "Zl", "Zp")))
    return seen[:1] in ("=", "+", "-", "@", "＝", "＋", "－", "＠") and not NUMBER.fullmatch(cell) if seen else False


async def test_a_table_has_the_names_themselves_but_for_formulas(world: World) -> None:
    async with world.client() as client:
        table = (await client.get(f"{HERE}/customers", params={"export": "csv"})).text
    names = {row["person.name"] for row in csv.DictReader(io.StringIO(table, newline=""))}
    assert {f"'{text}" if text in FORMULAS else text for text in STORED} <= names


@pytest.mark.parametrize("path", [*ONES, *EACH])
async def test_every_other_answer_shows_it_as_text_too(world: World, path: str) -> None:
    async with world.client() as client:
        for n in range(len(STORED) if "{n}" in path else 1):
            answer = await client.get(path.format(n=n))
            is_data(answer)
            whole = "{n}" not in path or path.endswith("explanation")
            assert whole or STORED[n] in set(texts(answer.json()))


async def test_words_of_hostile_names_are_found(world: World) -> None:
    async with world.client() as client:
        for text, word in (
            (STORED[0], "script"),
            ("\u202egnirts\u202c", "gnirts"),
            ("a\x00b", "b"),
            ("x" * 10_000, "xxx"),
        ):
            answer = (await client.get(f"{HERE}/customers", params={"q": word, "limit": 500})).json()
            assert text in {item["person"]["name"] for item in answer["items"]}


def test_half_a_character_never_gets_in(tmp_path: Path) -> None:
    whole = PEOPLE.encode(Person("Half", (), None, AT), org=ORG, customer="8", at=AT, source="alleaves")
    half = whole.replace(b"Half", rb"\ud800 Half")
    world = world_of(tmp_path, [record(topics.PEOPLE, f"{ORG}:8", half)])
    person = world.views.person(ORG, "8")
    assert person is not None
    assert person.name == "Bob O'Neil"


# ── sent ─────────────────────────────────────────────────────────────────────────────────────────────────────

SENT = [
    "<script>alert(1)</script>",
    "'; DROP TABLE profiles;--",
    "\x00",
    "\u202e",
    "x" * 10_000,
    "-1",
    "9" * 40,
    "*",
    "",
]
HALF = "\ud800"
BODIES: list[Any] = [
    "<script>alert(1)</script>",
    "\x00",
    HALF,
    "x" * 10_000,
    10**400,
    -1,
    1e308,
    None,
    [],
    {},
    [[]],
    True,
]
RAW = [b"", b"null", b"[" * 50_000, b'{"a":' * 20_000, b"\xff\xfe", b'{"orgId": NaN}', rb'{"\ud800": 1}', b'"x"']
ENDLESS = f"{IN}/alerts/stream"
USUAL = {"orgId": ORG, "phone": "5551234567", "reason": "r"}
"""What routes must be given."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world_of(tmp_path_factory.mktemp("target"))


def is_answered(answer: httpx.Response, sent: object) -> None:
    """As data, whatever was sent; a failure says what was wrong."""
    assert answer.status_code < 500, (sent, answer.text[:300])
    kinds = ("application/json", "application/problem+json", "text/event-stream", "text/csv")
    assert answer.status_code in (204, 304, 307) or answer.headers["content-type"].startswith(kinds)
    if answer.status_code >= 400:
        assert answer.json()["detail"], sent


def filled(world: World, template: str, names: dict[str, str]) -> str:
    letter = world.views.dead_letters(1)[0]
    usual = {
        "org": ORG,
        "customer": "3528",
        "case": f"{ORG}:7:1",
        "run": RUN,
        "version": "1",
        "key": "none",
        "name": "ana",
    }
    values = usual | {"place": f"{letter.partition}:{letter.offset}"} | names
    return re.sub(r"\{(\w+)\}", lambda found: quote(values[found[1]], safe=""), template)


def operations(world: World) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Method and path of every operation, with its parameters."""
    return {
        (method, path): operation.get("parameters", [])
        for path, methods in document(world.app)["paths"].items()
        for method, operation in methods.items()
        if path != ENDLESS
    }


async def test_every_parameter_of_every_route_and_export_is_text_or_refused(target: World) -> None:
    before, tried = target.views.stats(ORG), 0
    async with target.client() as client:
        for (method, template), parameters in operations(target).items():
            needed = {
                each["name"]: USUAL[each["name"]] for each in parameters if each["in"] == "query" and each["required"]
            }
            exports = [{}, {"export": "csv"}] if "export" in {each["name"] for each in parameters} else [{}]
            for parameter, (n, value) in product(parameters, enumerate(SENT)):
                sent, where = {parameter["name"]: value}, parameter["in"]
                path = filled(target, template, sent if where == "path" else {})
                query = needed | exports[n % len(exports)] | (sent if where == "query" else {})
                headers = {parameter["name"].encode(): value.encode()} if where == "header" else {}
                answer = await client.request(method, path, params=query, headers=headers, json={})
                is_answered(answer, (method, template, parameter["name"], value[:80]))
                tried += 1
    assert tried > 500
    assert target.views.stats(ORG) == before


def variants(body: Any) -> Iterator[Any]:
    """The body with each of its parts replaced, and with a part more."""
    yield from BODIES
    if isinstance(body, dict):
        yield from ({**body, odd: 1} for odd in ("__proto__", "<script>", HALF, "x" * 10_000))
        for name, part in body.items():
            yield from ({**body, name: each} for each in variants(part))
    elif isinstance(body, list):
        yield from ([each] for part in body for each in variants(part))


WITH_BODIES = [call for call in CALLS if call.body is not None]


@pytest.mark.parametrize("call", WITH_BODIES, ids=lambda call: f"{call.method} {call.path} {call.body}")
async def test_every_part_of_every_body_is_text_or_refused(target: World, call: Call) -> None:
    before = target.views.stats(ORG)
    whole = json.loads(json.dumps(call.body).replace("{org}", ORG))
    path = filled(target, call.path, {})
    headers = {**dict(call.headers), "content-type": "application/json"}
    async with target.client() as client:
        for raw in (*(json.dumps(each).encode() for each in variants(whole)), *RAW):
            answer = await client.request(call.method, path, content=raw, headers=headers)
            is_answered(answer, raw[:80])
    assert target.views.stats(ORG) == before


@pytest.mark.parametrize(
    "path", ["/api/v1/session", f"{HERE}/cases/{quote('<b>')}", "/%3Cscript%3E", "/%00", "/%ED%A0%80"]
)
async def test_a_path_that_is_not_there_is_not_said_back_as_a_page(target: World, path: str) -> None:
    async with target.client() as client:
        answer = await client.get(path)
    assert answer.status_code in (404, 405, 422)
    assert answer.headers["content-type"] == "application/problem+json"


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────

PAGES = ["/", "/lookup", "/customers", "/cases", "/cases?state=open", "/runs", "/problems", "/coverage", "/settings"]
PAGES += ["/system", "/login", "/customers?q=script", "/lookup?q=script"]
PAGES_OF_EACH = ["/customers/h{n}", "/cases/h{n}/1", "/lookup?q=h{n}", f"/runs/{ORG}:daily:{{n}}", "/settings?from={n}"]
FIELDS = (
    "q",
    "org",
    "shop",
    "after",
    "before",
    "verdict",
    "tier",
    "case",
    "state",
    "mine",
    "reason",
    "decided",
    "done",
)
FIELDS += ("run", "from", "since", "next", "at")


@pytest.fixture(scope="module")
def desk(world: World) -> Desk:
    return Desk(world.path, world.views, world.log, world.clock, world.site)


def is_harmless(answer: httpx.Response) -> None:
    """A page on which nothing that was stored or sent is markup."""
    if answer.headers["content-type"] == "application/problem+json":  # of a path that no page has
        assert answer.status_code in (404, 405)
        assert answer.headers["x-content-type-options"] == "nosniff"
        return
    assert answer.status_code in (200, 404, 405, 422), answer.text[:300]
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert inline_parts(answer.text) == []
    seen = Seen(answer.text)
    assert "iframe" not in seen.tags
    assert not any(link.lower().startswith("javascript:") for link in seen.links)
    assert "</title><b>" not in answer.text


@pytest.mark.parametrize("path", [*PAGES, *PAGES_OF_EACH])
async def test_every_page_shows_stored_text_as_text(desk: Desk, path: str) -> None:
    async with desk.client(headers={"accept": "text/html"}) as client:
        for n in range(1, len(STORED) if "{n}" in path else 2):
            answer = await client.get(path.format(n=n))
            assert answer.status_code == 200, answer.text[:300]
            is_harmless(answer)


@pytest.mark.parametrize("value", [value for value in SENT if value])
async def test_every_page_takes_what_is_sent_for_text_or_refuses_it(desk: Desk, value: str) -> None:
    paths = [path for path in PAGES if "?" not in path]
    paths += [
        path.replace("{}", quote(value, safe=""))
        for path in ("/customers/{}", "/cases/{}/1", "/cases/h0/{}", "/runs/{}")
    ]
    async with desk.client(headers={"accept": "text/html"}) as client:
        for path in paths:
            is_harmless(await client.get(path, params={name: value[:2000] for name in FIELDS if name != "org"}))
        for name in FIELDS:
            is_harmless(await client.get("/", params={name: value}))
            is_harmless(await client.get("/customers", params={"q": "x", name: value}))
