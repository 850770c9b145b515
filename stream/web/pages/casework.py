"""What people do about cases: read from forms, decided by the service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from stream.contracts.access import Role, user_name
from stream.contracts.facts import AcceptDifference, AcknowledgeCase, AssignCase, NoteCase, ResolveCase, SilenceCase
from stream.sinks.views import shown_pages
from stream.sinks.views.shown import CustomerCase
from stream.web.decisions import CaseDecision
from stream.web.pages import words
from stream.web.pages.cases import address
from stream.web.pages.moments import DAY_MS
from stream.web.pages.page import Page, page_of, rendered
from stream.web.pages.routes import PageRoute, field, form_of, see
from stream.web.problems import Problem, not_found

BULK_MAX = 100
WORDS_MAX = 2000
LENGTHS = {"1": "1 day", "7": "1 week", "30": "30 days", "90": "90 days"}
"""Days of a silence or an acceptance."""
MANAGERS = frozenset({"accept", "resolve"})

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Form = dict[str, list[str]]


@dataclass(frozen=True)
class Bulk:
    """What is about to be done to several cases. `points`: their differences without sign, added up."""

    action: str
    title: str
    sentence: str
    button: str
    asks: str
    cases: list[CustomerCase]
    names: dict[str, str]
    points: int


@router.post("/cases/{customer}/{number}/{action}")
async def act(request: Request, customer: str, number: str, action: str) -> Response:
    """Do something about one case."""
    form = await form_of(request)
    page = await asyncio.to_thread(page_of, request, _role(action))
    found = await asyncio.to_thread(page.site.decisions.case, page.org, f"{page.org}:{customer}:{number}")
    decision = _DECISIONS[action](page, found, form)
    after = (await page.site.decisions.decide_cases(page.org, [decision]))[0]
    took_effect = (after.case.epoch, after.case.version) > (found.case.epoch, found.case.version)
    return see(page.link(address(found.case.id), done=action if took_effect else "waiting"))


@router.post("/cases")
async def bulk(request: Request) -> Response:
    """Ask once what is to be done to the cases that were picked, then do it."""
    form = await form_of(request)
    action = field(form, "action")
    page = await asyncio.to_thread(page_of, request, _role(action) if action in _BULK else Role.SUPPORT)
    if action not in _BULK:
        raise Problem(422, "choose what to do")
    picked = form.get("case", [])[: BULK_MAX + 1]
    if not 1 <= len(picked) <= BULK_MAX:
        raise Problem(422, f"pick 1 to {BULK_MAX} cases")
    cases = await asyncio.to_thread(lambda: [page.site.decisions.case(page.org, each) for each in picked])
    if field(form, "confirmed") != "yes":
        return rendered(page, "cases_bulk.html", bulk=await asyncio.to_thread(_bulk, page, action, cases))
    decisions = [_DECISIONS[action](page, each, form) for each in cases]
    await page.site.decisions.decide_cases(page.org, decisions)
    return see(page.link("/cases", done=action))


def _role(action: str) -> Role:
    if action not in _DECISIONS:
        raise not_found("the action")
    return Role.MANAGER if action in MANAGERS else Role.SUPPORT


def _acknowledge(page: Page, case: CustomerCase, form: Form) -> CaseDecision:
    return AcknowledgeCase(case.case.id, page.caller.id, _words(form, needed=False))


def _accept(page: Page, case: CustomerCase, form: Form) -> CaseDecision:
    until = _until(page, form, needed=False)
    return AcceptDifference(case.case.id, page.caller.id, case.case.difference, _words(form) or "", until)


def _silence(page: Page, case: CustomerCase, form: Form) -> CaseDecision:
    until = _until(page, form)
    assert until is not None
    return SilenceCase(case.case.id, page.caller.id, until, _words(form, needed=False))


def _note(page: Page, case: CustomerCase, form: Form) -> CaseDecision:
    return NoteCase(case.case.id, page.caller.id, _words(form) or "")


def _assign(page: Page, case: CustomerCase, form: Form) -> CaseDecision:
    to = field(form, "to").lower()
    return AssignCase(case.case.id, page.caller.id, user_name(to) if to else None)


def _resolve(page: Page, case: CustomerCase, form: Form) -> CaseDecision:
    return ResolveCase(case.case.id, page.caller.id, _words(form) or "")


_DECISIONS: dict[str, Callable[[Page, CustomerCase, Form], CaseDecision]] = {
    "acknowledge": _acknowledge,
    "accept": _accept,
    "silence": _silence,
    "note": _note,
    "assign": _assign,
    "resolve": _resolve,
}
_BULK = {
    "acknowledge": ("Acknowledge", "You have seen them. They stay open; reminders go on.", ""),
    "assign": ("Assign", "Somebody is to look after them. Nobody is told by this.", "to"),
    "silence": ("Silence", "No alerts about them until then. They stay in the inbox.", "days"),
    "accept": (
        "Accept the differences of",
        "Their differences are taken as right from now on: runs to come count them as agreement.",
        "reason",
    ),
    "resolve": (
        "Resolve",
        "They end now, for your reason. If the sides still differ at the next run, new cases open.",
        "reason",
    ),
}


def _bulk(page: Page, action: str, cases: Sequence[CustomerCase]) -> Bulk:
    title, sentence, asks = _BULK[action]
    return Bulk(
        action=action,
        title=f"{title} {words.counted(len(cases), 'case')}?",
        sentence=sentence,
        button=f"{title} {words.counted(len(cases), 'case')}",
        asks=asks,
        cases=list(cases),
        names=shown_pages.names_of(page.views, page.org, [each.customer for each in cases]),
        points=sum(abs(each.case.difference) for each in cases),
    )


def _words(form: Form, *, needed: bool = True) -> str | None:
    text = field(form, "reason") or field(form, "note")
    if needed and not text:
        raise Problem(422, "say why, in a few words")
    return text[:WORDS_MAX] or None


def _until(page: Page, form: Form, *, needed: bool = True) -> int | None:
    days = field(form, "days")
    if days in LENGTHS:
        return page.now + int(days) * DAY_MS
    if needed:
        raise Problem(422, "choose for how long")
    return None
