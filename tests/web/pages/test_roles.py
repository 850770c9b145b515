"""Each role against each page and each org."""

from __future__ import annotations

from typing import NamedTuple

import httpx
import pytest
from fastapi.routing import APIRoute

from stream.contracts.access import Role
from stream.contracts.settings import OrgSettings
from stream.web.pages import routers
from tests.sinks.records import settings_record
from tests.web.pages.desk import Desk, desk_of
from tests.web.pages.shops import ORG, busy_shop

OTHERS = "another_brand"
"""An org that exists, and that nobody here belongs to."""
RANKS = {"vi": Role.VIEWER, "sam": Role.SUPPORT, "maria": Role.MANAGER, "ada": Role.ADMIN}
V, S, M = Role.VIEWER, Role.SUPPORT, Role.MANAGER


class Visit(NamedTuple):
    """A page's route as it is visited. `done`: its answer to who may; a form that is not filled in is 422."""

    method: str
    route: str
    path: str
    role: Role
    form: dict[str, str] | None = None
    done: int = 200


CASE = "/cases/2000/1"
ACTION = "/cases/{customer}/{number}/{action}"
RUN = f"{ORG}:daily:2026-01-30"
VISITS = [
    Visit("GET", "/", "/", V),
    Visit("GET", "/lookup", "/lookup?q=2000", V),
    Visit("POST", "/lookup/sync", "/lookup/sync", S, {"customer": "2000"}, 303),
    Visit("GET", "/customers", "/customers", V),
    Visit("GET", "/customers/{customer}", "/customers/2000", V),
    Visit("GET", "/cases", "/cases", V),
    Visit("POST", "/cases", "/cases", S, {"action": "acknowledge", "case": f"{ORG}:2000:1"}),
    Visit("POST", "/cases", "/cases", M, {"action": "accept", "case": f"{ORG}:2000:1"}),
    Visit("GET", "/cases/{customer}/{number}", CASE, V),
    *(
        Visit("POST", ACTION, f"{CASE}/{each}", S, {"note": "n", "days": "7"}, 303)
        for each in ("acknowledge", "silence")
    ),
    *(Visit("POST", ACTION, f"{CASE}/{each}", S, {"note": "n"}, 303) for each in ("note", "assign")),
    *(Visit("POST", ACTION, f"{CASE}/{each}", M, {}, 422) for each in ("accept", "resolve")),
    Visit("GET", "/runs", "/runs", V),
    Visit("POST", "/runs", "/runs", M, {}, 303),
    Visit("GET", "/runs/{run_id}", f"/runs/{RUN}", V),
    Visit("GET", "/live/runs/{run_id}", f"/live/runs/{RUN}", V),
    Visit("GET", "/problems", "/problems", V),
    Visit("POST", "/problems/{place}/{action}", "/problems/0:1/discard", M, {}, 422),
    Visit("POST", "/problems/all/{action}", "/problems/all/discard", M, {}, 422),
    Visit("GET", "/coverage", "/coverage", V),
    Visit("GET", "/settings", "/settings", V),
    Visit("POST", "/settings/preview", "/settings/preview", M, {}, 422),
    Visit("POST", "/settings", "/settings", M, {}, 422),
    Visit("GET", "/system", "/system", V),
    Visit("GET", "/password", "/password", V),
    Visit("POST", "/password", "/password", V, {"current": "x", "new": "a", "again": "b"}, 422),
]
ENDLESS = {("GET", "/live"), ("GET", "/live/runs")}
"""Streams that never end: who may see them is decided as for the others, before they begin."""
FOR_ALL = {("GET", "/login"), ("POST", "/login"), ("POST", "/logout"), ("GET", "/assets/{path:path}")}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    others = settings_record(1, OrgSettings(), org=OTHERS)
    return desk_of(tmp_path_factory.mktemp("page-roles"), busy_shop(), [others])


async def answer_to(desk: Desk, visit: Visit, who: str | None, org: str) -> httpx.Response:
    joined = "&" if "?" in visit.path else "?"
    async with desk.browser(who) as browser:
        return await browser.request(visit.method, f"{visit.path}{joined}org={org}", data=visit.form)


def test_every_page_is_in_the_table() -> None:
    pages = [route for router in routers() for route in router.routes if isinstance(route, APIRoute)]
    routes = {(method, route.path) for route in pages for method in route.methods or ()}
    assert {(visit.method, visit.route) for visit in VISITS} == routes - ENDLESS - FOR_ALL


@pytest.mark.parametrize("who", RANKS)
@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: f"{visit.method} {visit.path}")
async def test_a_role_may_what_it_may_and_no_more(desk: Desk, visit: Visit, who: str) -> None:
    allowed = RANKS[who].rank >= visit.role.rank
    before = len(desk.log.published)
    answer = await answer_to(desk, visit, who, ORG)
    assert answer.status_code == (visit.done if allowed else 403), answer.text
    assert allowed or len(desk.log.published) == before


@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: f"{visit.method} {visit.path}")
async def test_an_org_of_others_is_one_that_does_not_exist(desk: Desk, visit: Visit) -> None:
    before = len(desk.log.published)
    answers = [await answer_to(desk, visit, "ada", org) for org in (OTHERS, "no_such_brand")]
    assert [answer.status_code for answer in answers] == [404, 404]
    texts = [answer.text.replace(org, "ORG") for answer, org in zip(answers, (OTHERS, "no_such_brand"), strict=True)]
    assert texts[0] == texts[1]
    assert len(desk.log.published) == before


@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: f"{visit.method} {visit.path}")
async def test_without_a_session_a_page_cannot_be_told_from_one_that_does_not_exist(desk: Desk, visit: Visit) -> None:
    desk.clock.now += 60_001  # failures are counted
    nothing = Visit(visit.method, "", "/nothing", V, visit.form)
    for org in (ORG, "no_such_brand"):
        here, there = [await answer_to(desk, each, None, org) for each in (visit, nothing)]
        assert here.status_code == there.status_code == (303 if visit.method == "GET" else 401)
        assert here.text == there.text
