"""Customers: found, filtered, and one of them with how the points come about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from stream.contracts.cases import Cause
from stream.contracts.entries import PointsEntry
from stream.contracts.profiles import Profile, Verdict
from stream.sinks.views import shown_pages
from stream.sinks.views.shown import Chosen, CustomerCase, CustomerEntry, CustomerRow
from stream.web.pages import words
from stream.web.pages.charts import Chart
from stream.web.pages.history import OrderShown, orders_of, points_chart
from stream.web.pages.lookup import synced
from stream.web.pages.page import Page, page_of, rendered
from stream.web.pages.routes import PageRoute
from stream.web.pages.waterfall import Bar, movements_of, waterfall
from stream.web.problems import not_found
from stream.web.shapes.customers import PersonShown, person_shown

AT_ONCE = 50
ENTRIES_LOOKED_AT = 500
ENTRIES_SHOWN = 30
TEXT_CHARACTERS = 200
CASES = {"live": "Not resolved", "open": "Open", "acknowledged": "Acknowledged"}

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class CustomerList:
    """A part of the list; `more`: the address of what follows. `counts`: customers by verdict."""

    text: str
    chosen: Chosen
    rows: list[CustomerRow]
    more: str | None
    counts: dict[Verdict, int]
    total: int
    review: int


@dataclass(frozen=True)
class CustomerShown:
    """One customer. `entries`: the newest; `older`: the address of older ones."""

    customer: str
    person: PersonShown | None
    erased: bool
    profile: Profile
    sentence: str
    cases: list[CustomerCase]
    causes: tuple[Cause, ...]
    bars: list[Bar]
    chart: Chart
    chart_rows: list[tuple[str, str, str]]
    chart_caption: str
    orders: list[OrderShown]
    entries: Sequence[CustomerEntry]
    older: str | None
    cut: bool


@router.get("/customers")
def customers(request: Request) -> Response:
    """All of them, or those that are looked for."""
    page = page_of(request)
    found = _list(page)
    return rendered(page, "customer_rows.html" if page.is_fragment else "customers.html", found=found)


@router.get("/customers/{customer}")
def customer(request: Request, customer: str) -> Response:
    """One of them."""
    page = page_of(request)
    profile = page.views.profile(page.org, customer) if page.org else None
    if profile is None:
        raise not_found(f"customer {customer[:80]!r} of org {page.org!r}")
    return rendered(page, "customer.html", c=_customer(page, customer, profile), run=synced(page, customer))


def _list(page: Page) -> CustomerList:
    query, views, org = page.query, page.views, page.org
    text = query.get("q", "").strip()[:TEXT_CHARACTERS]
    verdict, case = query.get("verdict"), query.get("case")
    chosen = Chosen(
        verdict if verdict in set(Verdict) else None,
        query.get("tier") or None,
        page.shop,
        case if case in CASES else None,
    )
    after = query.get("after", "")
    if text:
        place = int(after) if after.isascii() and after.isdigit() and len(after) < 16 else 0
        rows = views.customers_found(text, org, chosen, contacts=page.supports, after=place, limit=AT_ONCE + 1)
    else:
        rows = views.customers(org, chosen, after=after[:64], limit=AT_ONCE + 1)
    more = None
    if len(rows) > AT_ONCE:
        rows = rows[:AT_ONCE]
        more = page.here(after=rows[-1].number if text else rows[-1].customer)
    counts = shown_pages.verdict_counts(views, org, page.shop)
    by_verdict = {each: counts[each] for each in words.VERDICTS if counts.get(each)}
    return CustomerList(
        text, chosen, rows, more, by_verdict, sum(counts.values()), by_verdict.get(Verdict.DISCREPANCY, 0)
    )


def _customer(page: Page, customer: str, profile: Profile) -> CustomerShown:
    views, org = page.views, page.org
    person = views.person(org, customer)
    cases = views.cases(org, customer=customer, limit=20)
    live = next((each.case for each in cases if each.case.resolved_at is None), None)
    entries = views.entries(org, customer, limit=ENTRIES_LOOKED_AT)
    causes = live.causes if live else ()
    shown = [entry for entry in entries if _before(entry.entry, page.query.get("before"))]
    chart, rows, caption = points_chart(page, profile, entries, cases)
    return CustomerShown(
        customer=customer,
        person=person_shown(person, contacts=page.supports),
        erased=person is not None and person.erased_at is not None,
        profile=profile,
        sentence=words.case_sentence(live) if live else words.profile_sentence(profile),
        cases=cases,
        causes=causes,
        bars=waterfall(
            profile.points_from_orders,
            profile.points_from_alpine,
            causes,
            moved=movements_of(profile),
            verdict=profile.verdict,
        ),
        chart=chart,
        chart_rows=rows,
        chart_caption=caption,
        orders=orders_of(entries),
        entries=shown[:ENTRIES_SHOWN],
        older=page.here(before=shown[ENTRIES_SHOWN - 1].entry.version) + "#ledger"
        if len(shown) > ENTRIES_SHOWN
        else None,
        cut=len(entries) == ENTRIES_LOOKED_AT,
    )


def _before(entry: PointsEntry, before: str | None) -> bool:
    if before is None or not (before.isascii() and before.isdigit() and len(before) < 16):
        return True
    return entry.version < int(before)
