"""Coverage: how customers were matched with the provider's members; who could not be, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from stream.contracts.profiles import Verdict
from stream.sinks.views import shown_pages
from stream.sinks.views.shown import Chosen, CustomerRow
from stream.sinks.views.shown_pages import Contacts
from stream.web.pages import words
from stream.web.pages.page import Page, page_of, rendered
from stream.web.pages.routes import PageRoute

EXAMPLES = 5
WITHOUT = (Verdict.UNKNOWN, Verdict.NOT_ENROLLED, Verdict.AMBIGUOUS)
NEXT_STEPS = {
    Verdict.UNKNOWN: "Ask for a phone number at the next purchase, and enter it in Alleaves.",
    Verdict.NOT_ENROLLED: f"Offer to enrol them in {words.PROVIDER}.",
    Verdict.AMBIGUOUS: "Give each person a number of their own in Alleaves, or merge doubles.",
}

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class Without:
    """Customers without a balance, for one reason, with some of them."""

    verdict: Verdict
    count: int
    share: str
    why: str
    next_step: str
    examples: list[CustomerRow]


@dataclass(frozen=True)
class FoundBy:
    """Customers whose contact at the provider was found by one kind of identity. `part`: percent of all found."""

    label: str
    count: int
    part: float
    share: str


@dataclass(frozen=True)
class Coverage:
    """`covered`: customers with a balance. `contacts`: of all customers of the org."""

    customers: int
    covered: int
    share: str
    contacts: Contacts
    found_by: list[FoundBy]
    without: list[Without]
    counts: dict[Verdict, int]


@router.get("/coverage")
def coverage(request: Request) -> Response:
    """Who is known at the provider."""
    page = page_of(request)
    return rendered(page, "coverage.html", found=_coverage(page))


def _coverage(page: Page) -> Coverage:
    views, org = page.views, page.org
    counts = shown_pages.verdict_counts(views, org, page.shop)
    total = sum(counts.values())
    covered, _ = shown_pages.balances_known(views, org, page.shop)
    return Coverage(
        customers=total,
        covered=covered,
        share=words.share(covered, total),
        contacts=shown_pages.contacts(views, org),
        found_by=_found_by(shown_pages.matched_by(views, org, page.shop)),
        without=[_without(page, verdict, counts[verdict], total) for verdict in WITHOUT if counts.get(verdict)],
        counts={verdict: counts[verdict] for verdict in words.VERDICTS if counts.get(verdict)},
    )


def _found_by(counts: Mapping[str, int]) -> list[FoundBy]:
    total = sum(counts.values())
    known = [*words.IDENTITIES, *sorted(counts.keys() - words.IDENTITIES.keys())]
    return [
        FoundBy(
            words.IDENTITIES.get(kind, kind), counts[kind], 100 * counts[kind] / total, words.share(counts[kind], total)
        )
        for kind in known
        if counts.get(kind)
    ]


def _without(page: Page, verdict: Verdict, count: int, total: int) -> Without:
    examples = page.views.customers(page.org, Chosen(verdict=verdict.value, shop=page.shop), limit=EXAMPLES)
    return Without(
        verdict, count, words.share(count, total), words.VERDICT_REASONS[verdict], NEXT_STEPS[verdict], examples
    )
