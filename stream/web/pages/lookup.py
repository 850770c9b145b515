"""The counter: a phone number or a name, and what to say."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from stream.contracts.access import Role
from stream.contracts.cases import Cause
from stream.contracts.profiles import Profile, Verdict
from stream.sinks.views.shown import CustomerCase, CustomerRow, Person, Run
from stream.web import counter, finding
from stream.web.counter import Explanation
from stream.web.finding import Found, Why
from stream.web.pages import words
from stream.web.pages.page import Page, page_of, rendered
from stream.web.pages.routes import PageRoute, field, form_of, see
from stream.web.shapes.customers import PersonShown, person_shown

MATCHES = 12
TEXT_CHARACTERS = 200
WAIT_SECONDS = 6.0

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class Answer:
    """One customer at the counter. `whole`, `part`: how far it is from this tier to the next, in points."""

    customer: str
    person: PersonShown | None
    profile: Profile
    said: Explanation
    case: CustomerCase | None
    causes: tuple[Cause, ...]
    part: int
    whole: int
    evidence: list[str]


@dataclass(frozen=True)
class LookUp:
    """What was asked, and what was found: an answer, several to choose from, or why none."""

    text: str
    answer: Answer | None = None
    several: tuple[CustomerRow, ...] = ()
    why: str | None = None
    run: Run | None = None


@router.get("/lookup")
def look_up(request: Request) -> Response:
    """Whose points are they, and why."""
    page = page_of(request)
    text = page.query.get("q", "").strip()[:TEXT_CHARACTERS]
    found = _found(page, text) if page.org and text else LookUp(text)
    template = "lookup_answer.html" if page.is_fragment else "lookup.html"
    return rendered(page, template, found=found)


@router.post("/lookup/sync")
async def sync(request: Request) -> Response:
    """Ask the provider about this customer now."""
    form = await form_of(request)
    page = await asyncio.to_thread(page_of, request, Role.SUPPORT)
    customer = field(form, "customer")
    answer = await page.site.service.sync_customer(customer, page.org, by=page.caller.id, wait_seconds=WAIT_SECONDS)
    back = field(form, "back")
    if back == "customer":
        return see(page.link(f"/customers/{customer}", run=answer["runId"]))
    return see(page.link("/lookup", q=customer, run=answer["runId"]))


def synced(page: Page, customer: str) -> Run | None:
    """The run that was just asked for, where the address names one of this customer."""
    named = page.query.get("run")
    run = page.views.run(named) if named else None
    return run if run is not None and run.org == page.org and run.customer == customer else None


def _found(page: Page, text: str) -> LookUp:
    found = finding.whoever(page.views, page.org, text, page.site.service.region_of(page.org))
    if found.customer is not None:
        profile = page.views.profile(page.org, found.customer)
        if profile is None:
            return LookUp(text, why="This customer has no points yet: they come with the first order.")
        return LookUp(text, _answer(page, found, profile), run=synced(page, found.customer))
    if found.several:
        rows = [row for each in found.several for row in _row(page, each)]
        return LookUp(text, several=tuple(rows), why="Several customers share this number. Ask for the name.")
    if found.why is Why.UNKNOWN:
        return LookUp(text, why="No customer has this number. It may be written otherwise in the point of sale.")
    several = page.views.customers_found(text, page.org, contacts=page.supports, limit=MATCHES)
    if len(several) == 1:
        row = several[0]
        return LookUp(text, _answer(page, Found(row.customer), row.profile), run=synced(page, row.customer))
    why = None if several else "Nobody is called that, and it is no phone number or customer id."
    return LookUp(text, several=tuple(several), why=why)


def _row(page: Page, customer: str) -> list[CustomerRow]:
    profile = page.views.profile(page.org, customer)
    person: Person | None = page.views.person(page.org, customer)
    return [CustomerRow(page.org, customer, profile, person)] if profile is not None else []


def _answer(page: Page, found: Found, profile: Profile) -> Answer:
    assert found.customer is not None
    views, org, customer = page.views, page.org, found.customer
    said = counter.explanation(views, org, found, now=page.now)
    case = next((each for each in views.cases(org, customer=customer) if each.case.resolved_at is None), None)
    tiers = page.settings.tiers if page.settings else ()
    floor = max((tier.threshold for tier in tiers if tier.threshold <= profile.points), default=0)
    following = min((tier.threshold for tier in tiers if tier.threshold > profile.points), default=profile.points)
    return Answer(
        customer=customer,
        person=person_shown(views.person(org, customer), contacts=page.supports),
        profile=profile,
        said=said,
        case=case,
        causes=case.case.causes if case else (),
        part=profile.points - floor,
        whole=following - floor,
        evidence=_evidence(page, profile, case),
    )


def _evidence(page: Page, profile: Profile, case: CustomerCase | None) -> list[str]:
    said = [words.sides_sentence(profile.points_from_orders, profile.points_from_alpine)]
    if profile.verdict is not Verdict.DISCREPANCY or case is None:
        said.append(words.VERDICT_REASONS[profile.verdict])
    if case is not None:
        said.append(words.causes_sentence(case.case.causes, case.case.difference))
    return [each for each in said if each]
