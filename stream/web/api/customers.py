"""Customers: found, listed, explained."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from stream.contracts.profiles import Verdict
from stream.sinks.document import FIELDS
from stream.sinks.views.shown import Chosen, CustomerEntry, CustomerRow
from stream.web.counter import Explanation
from stream.web.etags import tag_of
from stream.web.listing import LIMIT, Cursor, Export, Limit, Listing, Page, etagged
from stream.web.problems import not_found
from stream.web.requests import ID_PATTERN, InOrg, Viewer
from stream.web.shapes.customers import (
    CustomerShown,
    EntryShown,
    PersonShown,
    Report,
    customer_shown,
    entry_shown,
    person_shown,
    report,
)

router = APIRouter(prefix="/api/v1/orgs/{org}/customers", tags=["customers"])

Whole = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
CustomerId = Annotated[str, Path(pattern=ID_PATTERN, description="The point of sale's customer id.")]
Text = Annotated[str | None, Query(max_length=100)]
_COLUMNS = (*(f"customer.{field}" for field in FIELDS), "person.name", "person.phones", "person.email")


class CustomerReport(Report):
    """A customer with everything that is known: `person` null where nothing is, or all was erased."""

    person: PersonShown | None


@router.get("", response_model=Page[CustomerShown])
def customers(
    here: Viewer,
    q: Annotated[
        str | None,
        Query(min_length=1, max_length=200, description="Name, phone number, e-mail address or customer id."),
    ] = None,
    verdict: Verdict | None = None,
    tier: Text = None,
    shop: Annotated[str | None, Query(max_length=100, description="Home location.")] = None,
    case: Literal["live", "open", "acknowledged"] | None = None,
    cursor: Cursor = None,
    limit: Limit = LIMIT,
    export: Export = None,
) -> Response:
    """Customers in order of their id; with `q` those whose words begin like those in it. To whom contact data is
    masked, a phone number or e-mail address finds somebody only when it is given whole."""
    chosen = Chosen(verdict.value if verdict else None, tier, shop, case)
    listing = _listed(here, chosen) if q is None else _found(here, chosen, q)
    return listing.answer(cursor, limit, export)


@router.get("/{customer}", response_model=CustomerReport)
def customer(request: Request, here: Viewer, customer: CustomerId) -> Response:
    """Both sides, the verdict, cases with their causes, the latest entries, and who it is."""
    views = here.site.views
    found = report(views, here.org, customer)
    if found is None:
        raise not_found(f"customer {customer!r} of org {here.org!r}")
    person = person_shown(views.person(here.org, customer), contacts=here.contacts)
    shown: CustomerReport = {**found, "person": person}
    return etagged(request, shown, tag_of(shown))


@router.get("/{customer}/entries", response_model=Page[EntryShown])
def entries(
    here: Viewer, customer: CustomerId, cursor: Cursor = None, limit: Limit = LIMIT, export: Export = None
) -> Response:
    """How the customer's points came about, newest first."""
    views, org = here.site.views, here.org
    if views.profile(org, customer) is None:
        raise not_found(f"customer {customer!r} of org {org!r}")
    listing: Listing[CustomerEntry, EntryShown] = Listing(
        f"entries-{org}-{customer}",
        lambda after, limit: views.entries(org, customer, limit=limit, after=after),
        lambda item: (item.entry.epoch, item.entry.version, item.entry.id),
        tuple[Whole, Whole, str],
        entry_shown,
        tuple(EntryShown.__annotations__),
    )
    return listing.answer(cursor, limit, export)


@router.get("/{customer}/explanation")
async def explanation(here: Viewer, customer: CustomerId) -> Explanation:
    """What to say to the customer, what lies behind, and the likely causes of a difference."""
    found = await here.site.service.explain_points(customer, here.org)
    if found["customerId"] != customer:
        raise not_found(f"customer {customer!r} of org {here.org!r}")
    return found


def _listed(here: InOrg, chosen: Chosen) -> Listing[CustomerRow, CustomerShown]:
    contacts = here.contacts
    return Listing(
        f"customers-{here.org}",
        lambda after, limit: here.site.views.customers(here.org, chosen, after=after[0] if after else "", limit=limit),
        lambda row: (row.customer,),
        tuple[str],
        lambda row: customer_shown(row, contacts=contacts),
        _COLUMNS,
    )


def _found(here: InOrg, chosen: Chosen, text: str) -> Listing[CustomerRow, CustomerShown]:
    contacts = here.contacts
    return Listing(
        f"customers-{here.org}",
        lambda after, limit: here.site.views.customers_found(
            text, here.org, chosen, contacts=contacts, after=after[0] if after else 0, limit=limit
        ),
        lambda row: (row.number,),
        tuple[Whole],
        lambda row: customer_shown(row, contacts=contacts),
        _COLUMNS,
    )
