"""Cases: the inbox, one case with its evidence, and what one can do about it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from stream.contracts.cases import Case, CaseState
from stream.contracts.profiles import Profile
from stream.contracts.settings import Compare
from stream.sinks.views import shown_pages
from stream.sinks.views.shown import CustomerCase
from stream.sinks.views.shown_pages import CaseRow
from stream.web.pages import moments, words
from stream.web.pages.page import Page, page_of, rendered
from stream.web.pages.routes import PageRoute
from stream.web.pages.waterfall import EARNED, EXPECTED, Bar, waterfall
from stream.web.problems import not_found
from stream.web.shapes.customers import PersonShown, person_shown

AT_ONCE = 50
TABS: dict[str, tuple[str, CaseState | None]] = {
    "live": ("Not resolved", None),
    "open": ("Open", CaseState.OPEN),
    "acknowledged": ("Acknowledged", CaseState.ACKNOWLEDGED),
    "resolved": ("Resolved", CaseState.RESOLVED),
}

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class Inbox:
    """A part of the inbox; `more`: the address of what follows. `mine`: only those that the caller looks after.
    `unexplained`: points of all that are not resolved."""

    tab: str
    rows: list[CaseRow]
    more: str | None
    mine: bool
    name: str
    unexplained: int


@dataclass(frozen=True)
class CaseShown:
    """One case with its evidence. `ticket`: text for the provider, without contact data."""

    customer: str
    case: Case
    person: PersonShown | None
    profile: Profile | None
    sides: str
    causes: str
    bars: list[Bar]
    others: list[CustomerCase]
    live: bool
    silenced: bool
    ticket: str


@router.get("/cases")
def inbox(request: Request) -> Response:
    """Those not resolved, the most unexplained points first."""
    page = page_of(request)
    found = _inbox(page)
    return rendered(page, "cases.html", found=found)


@router.get("/cases/{customer}/{number}")
def case(request: Request, customer: str, number: str) -> Response:
    """One case."""
    page = page_of(request)
    return rendered(page, "case.html", c=shown(page, customer, number))


def shown(page: Page, customer: str, number: str) -> CaseShown:
    """The case with what lies behind. Raises Problem 404."""
    plain = number.isascii() and number.isdigit() and len(number) < 10
    found = page.views.case(page.org, customer, int(number)) if plain and page.org else None
    if found is None:
        raise not_found(f"case {number[:20]!r} of customer {customer[:80]!r}")
    case, views = found.case, page.views
    others = [each for each in views.cases(page.org, customer=customer, limit=20) if each.case.number != case.number]
    return CaseShown(
        customer=customer,
        case=case,
        person=person_shown(views.person(page.org, customer), contacts=page.supports),
        profile=views.profile(page.org, customer),
        sides=words.sides_sentence(case.ours, case.provider),
        causes=words.causes_sentence(case.causes, case.difference),
        bars=waterfall(case.ours, case.provider, case.causes, first=_first(page)),
        others=others,
        live=case.state is not CaseState.RESOLVED,
        silenced=case.silenced_until is not None and page.now < case.silenced_until,
        ticket=_ticket(page, customer, case),
    )


def _first(page: Page) -> str:
    """What a case's own side is: where movements are counted in, more than the orders."""
    expects = page.settings is not None and page.settings.compare is Compare.EXPECTED
    return EXPECTED if expects else EARNED


def address(case_id: str) -> str:
    """The path of a case, by its id (`org:customer:number`)."""
    _, customer, number = case_id.split(":")
    return f"/cases/{quote(customer)}/{quote(number)}"


def _inbox(page: Page) -> Inbox:
    tab = page.query.get("state", "live")
    tab = tab if tab in TABS else "live"
    mine = page.query.get("mine") == "1"
    rows = shown_pages.inbox(
        page.views,
        page.org,
        state=TABS[tab][1],
        shop=page.shop,
        assigned_to=page.caller.name if mine else None,
        after=_after(page.query.get("after")),
        limit=AT_ONCE + 1,
    )
    more = None
    if len(rows) > AT_ONCE:
        rows = rows[:AT_ONCE]
        last = rows[-1]
        more = page.here(after=f"{last.unexplained}:{last.customer}:{last.case.number}")
    unexplained = shown_pages.unexplained_points(page.views, page.org, page.shop)
    return Inbox(tab, rows, more, mine, page.caller.name, unexplained)


def _after(place: str | None) -> tuple[int, str, int] | None:
    weight, _, rest = (place or "").partition(":")
    customer, _, number = rest.rpartition(":")
    if not all(each.isascii() and each.isdigit() and len(each) < 16 for each in (weight, number)):
        return None
    return int(weight), customer[:64], int(number)


def _ticket(page: Page, customer: str, case: Case) -> str:
    """What to send to the provider: figures, causes and orders; no name, phone or address."""
    profile = page.views.profile(page.org, customer)
    member = profile.alpine_user_id if profile and profile.alpine_user_id else "unknown to us"
    lines = [
        f"Points of one member differ from what our orders give ({page.org}).",
        "",
        f"Member: {member[:100]} (customer {customer} in Alleaves)",
        f"{words.PROVIDER} shows: {case.provider:,} points",
        f"Our orders give: {case.ours:,} points",
        f"Difference: {case.difference:+,} points, first seen {moments.exact(case.opened_at, page.zone)}",
        "",
    ]
    if case.causes:
        lines.append("What we think it is:")
        for cause in case.causes:
            orders = f" (orders {', '.join(cause.orders)})" if cause.orders else ""
            lines.append(f"- {cause.points:+,}: {words.CAUSES[cause.kind]}{orders}")
        lines.append("")
    lines.append("Could you say which of your movements make up the difference, or correct the balance?")
    return "\n".join(lines)
