"""The dashboard over a shop's records, with people of every role, and agents that answer what is decided."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path

import httpx
import msgspec
from fastapi import FastAPI

from stream.contracts import topics
from stream.contracts.access import Role
from stream.contracts.facts import FACTS
from stream.contracts.runs import RUNS, ChangeSettings, CustomerSynced, RunCompleted, RunKind, RunRequested, Tally
from stream.engine.ports import Input, Output
from stream.loyalty.account import Account, Review
from stream.loyalty.casework import work_on_case
from stream.loyalty.rules import compile_rules
from stream.sinks.views.read import Views
from stream.web.access.sessions import COOKIE
from stream.web.app import create_app
from stream.web.pages import problem_page, routers
from stream.web.site import site_of
from tests.sinks.records import run_record
from tests.sinks.views_file import views_of
from tests.web.pages.shops import NOW, ORG, SETTINGS_NOW, case_record, settings_record
from tests.web.world import LOCAL_KEY, QUICK, Clock, Follower, Log, Originals, World, user_records

PEOPLE: dict[str, dict[str, Role]] = {
    "vi": {ORG: Role.VIEWER},
    "sam": {ORG: Role.SUPPORT},
    "maria": {ORG: Role.MANAGER},
    "ada": {ORG: Role.ADMIN},
    "nobody": {},
}
_INLINE = re.compile(r"""<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:""", re.IGNORECASE)


class Desk(World):
    """A world whose application has the pages."""

    @cached_property
    def app(self) -> FastAPI:
        """The application with the dashboard."""
        return create_app(self.site, (), routers(), problem_page)

    @asynccontextmanager
    async def browser(self, who: str | None = "maria") -> AsyncIterator[httpx.AsyncClient]:
        """Somebody's browser, logged in."""
        before = len(self.log.published)
        cookies = {COOKIE: await self.site.sessions.begin(f"user:{who}")} if who else {}
        del self.log.published[before:]  # what tests look at is what people do then
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=("127.0.0.1", 1234))
        headers = {"accept": "text/html", "sec-fetch-site": "same-origin"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test", headers=headers, cookies=cookies
        ) as client:
            yield client


def desk_of(
    folder: Path, *batches: Iterable[Input], views_class: type[Views] = Views, follower: Follower | None = None
) -> Desk:
    """The dashboard over these records."""
    path = folder / "views.db"
    people = [record for name, roles in PEOPLE.items() for record in user_records(name, roles)]
    views_of(path, people, *batches).close()
    views, log, clock = views_class(path), Log(path), Clock(NOW)
    log.reacting = Agents(views)
    originals: dict[tuple[int, int], Input] = {}
    site = site_of(
        views,
        follower or Follower(),
        log,
        originals=Originals(originals),
        local_key=LOCAL_KEY,
        calls_a_minute=100_000,
        passwords=QUICK,
        settle_seconds=0.2,
        clock=clock,
        monotonic=clock.monotonic,
    )
    return Desk(path, views, log, clock, site, originals)


class Agents:
    """What agents publish in answer to what the pages publish, by the rules themselves."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._version = 1_000_000

    def __call__(self, output: Output) -> list[Input]:
        """The records that follow from this one."""
        self._version += 1
        if output.topic == topics.FACTS.name and output.value is not None:
            return self._cases(FACTS.decode(output.value))
        if output.topic == topics.RUNS.name and output.value is not None:
            return self._runs(RUNS.decode(output.value).data)
        return []

    def _cases(self, event: object) -> list[Input]:
        command, customer = event.data, event.customer  # type: ignore[attr-defined]
        found = self._views.case(ORG, customer, int(command.case.rpartition(":")[2]))
        assert found is not None
        account = Account(2, (0,), review=Review(case=found.case))
        rules = compile_rules(SETTINGS_NOW, 2)
        done = work_on_case(account, command, rules, at=NOW, version=(0, self._version))
        return [case_record(done.case, customer)] if done.case is not None else []

    def _runs(self, body: msgspec.Struct) -> list[Input]:
        match body:
            case ChangeSettings(settings=settings, expected_version=expected):
                return [settings_record((expected or 0) + 1, settings)]
            case RunRequested(run=run, kind=RunKind.CUSTOMER, customer=customer):
                completed = RunCompleted(run, RunKind.CUSTOMER, NOW, NOW + 500, Tally(), {}, customer=customer)
                return [run_record(CustomerSynced(run, "matched"), NOW), run_record(completed, NOW)]
        return []


class Seen(HTMLParser):
    """The text of a page, its links and its fields."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.fields: dict[str, list[str]] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if tag == "a":
            self.links.append(given.get("href") or "")
        if tag == "input":
            self.fields.setdefault(given.get("name") or "", []).append(given.get("value") or "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        """All of it, with single spaces, none before a full stop and the like."""
        return re.sub(r" (?=[.,:;)])", "", " ".join(" ".join(self.words).split()))


def inline_parts(html: str) -> list[str]:
    """What the content security policy would refuse."""
    plain = re.sub(r'(?:value|data-chart|placeholder|content|title)="[^"]*"', "", html)
    return [match.group() for match in _INLINE.finditer(re.sub(r">[^<]*<", "><", plain))]
