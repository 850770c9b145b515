"""What every page knows: who looks, at which org and shop, and how current what they see is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from urllib.parse import quote, urlencode

from fastapi import Request
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from stream.contracts.access import Role
from stream.contracts.settings import OrgSettings, Tier
from stream.sinks.views import shown_pages
from stream.sinks.views.read import Views
from stream.sinks.views.shown import Provider
from stream.web.access.principals import Principal
from stream.web.pages import moments
from stream.web.pages.moments import HOUR_MS, MINUTE_MS
from stream.web.pages.rendering import document
from stream.web.problems import not_found
from stream.web.requests import principal, require, site
from stream.web.site import Site

ORDERS_STALE_MS = 15 * MINUTE_MS
BALANCES_STALE_MS = 26 * HOUR_MS
"""Balances come with the daily run: an hour or two late is nothing yet."""


@dataclass(frozen=True)
class Freshness:
    """Up to when each side is known (UTC ms); None: never read. `stale`: later than it should be."""

    orders: int | None
    balances: int | None
    orders_stale: bool
    balances_stale: bool


@dataclass(frozen=True)
class Page:
    """One request for a page. `org` None: there is none yet that the caller may see. `now`: UTC ms."""

    request: Request
    site: Site
    caller: Principal
    orgs: tuple[str, ...]
    org: str
    shops: tuple[str, ...]
    shop: str | None
    settings: OrgSettings | None
    settings_version: int | None
    freshness: Freshness
    provider: Provider | None
    live_cases: int
    now: int
    zone: tzinfo
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def views(self) -> Views:
        """Where everything is read from."""
        return self.site.views

    @property
    def path(self) -> str:
        """The page's path, without its query."""
        return self.request.url.path

    @property
    def outage(self) -> bool:
        """The provider does not answer."""
        return self.provider is not None and not self.provider.available

    @property
    def is_fragment(self) -> bool:
        """A script on the page asks for a part of it."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def supports(self) -> bool:
        """May sync a customer, work on cases and see contact data."""
        return self.caller.may(Role.SUPPORT, self.org)

    @property
    def manages(self) -> bool:
        """May decide: accept, resolve, sync everybody, change settings."""
        return self.caller.may(Role.MANAGER, self.org)

    @property
    def administers(self) -> bool:
        """May give access, and see the audit."""
        return self.caller.may(Role.ADMIN, self.org)

    def link(self, path: str, **query: object) -> str:
        """The address of a page in the same org and shop; None and empty values are left out."""
        wanted = {"org": self.org, "shop": self.shop, **query}
        return f"{path}?{urlencode({k: str(v) for k, v in wanted.items() if v not in (None, '')})}"

    def csv(self, listing: str, **query: object) -> str:
        """Where all of a list of the API is to be had as a file; None and empty values are left out."""
        wanted = {"export": "csv", **query}
        given = urlencode({k: str(v) for k, v in wanted.items() if v not in (None, "")})
        return f"/api/v1/orgs/{quote(self.org, safe='')}/{listing}?{given}"

    @property
    def place(self) -> str:
        """The list or page that this one belongs to: `/cases` of one case."""
        return "/" + self.path.split("/")[1]

    def here(self, **query: object) -> str:
        """This page with other filters."""
        return self.link(self.path, **{**{k: v for k, v in self.query.items() if k not in ("org", "shop")}, **query})

    def ago(self, at: int | None, unknown: str = "never") -> Markup:
        """How long ago, with the exact time on hover; `unknown` where there is no time. What happened by a clock that
        is ahead of this one happened just now."""
        if at is None:
            return Markup('<span class="meta">{}</span>').format(unknown)
        return self._time(at, moments.relative(min(at, self.now), self.now, self.zone), grows=True)

    def ahead(self, at: int) -> Markup:
        """In how long, or how long ago, with the exact time on hover."""
        return self._time(at, moments.relative(at, self.now, self.zone))

    def bracketed(self, at: int) -> Markup:
        """How long ago, in brackets."""
        return self._time(at, f"({moments.relative(min(at, self.now), self.now, self.zone)})", grows=True)

    def clock(self, at: int) -> Markup:
        """The time of day, with the exact one on hover."""
        return self._time(at, moments.clock(at, self.now, self.zone))

    def day(self, at: int) -> str:
        """The day, in the shop's time zone."""
        return moments.day(at, self.now, self.zone)

    def tier(self, tier_name: str) -> Tier | None:
        """The tier with this name, in the settings that are in force."""
        tiers = self.settings.tiers if self.settings else ()
        return next((tier for tier in tiers if tier.name == tier_name), None)

    def _time(self, at: int, said: str, *, grows: bool = False) -> Markup:
        """`grows`: said again by a script as time passes."""
        ago = Markup(' data-ago="{}"').format(at) if grows else ""
        return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(
            moments.iso(at), moments.exact(at, self.zone), ago, said
        )


def page_of(request: Request, needs: Role = Role.VIEWER) -> Page:
    """The page that is asked for. Raises Problem: 404 for an org that the caller does not have, 403 for too small a
    role."""
    here, caller = site(request), principal(request)
    views = here.views
    orgs = tuple(caller.orgs(views.orgs()))
    query = dict(request.query_params)
    org = query.get("org") or request.path_params.get("org") or next(iter(orgs), "")
    if org:
        require(here, caller, org, needs)
    elif orgs:
        raise not_found("org")
    known = tuple(shown_pages.shops(views, org))
    shop = query.get("shop") if query.get("shop") in known else None
    in_force = views.settings(org) if org else None
    now = here.clock()
    return Page(
        request=request,
        site=here,
        caller=caller,
        orgs=orgs,
        org=org,
        shops=known,
        shop=shop,
        settings=in_force.settings if in_force else None,
        settings_version=in_force.version if in_force else None,
        freshness=freshness_of(views.freshness(org), now),
        provider=views.provider(org),
        live_cases=shown_pages.live_cases(views, org, shop),
        now=now,
        zone=moments.zone_of(in_force.settings.time_zone if in_force else None),
        query=query,
    )


def time_of(given: str | None, unknown: int) -> int:
    """A time (UTC ms) that an address gives; `unknown` where it gives none."""
    plain = given is not None and given.isascii() and given.isdigit() and len(given) < 16
    return int(given) if given is not None and plain else unknown


def rendered(page: Page, template: str, status: int = 200, **model: object) -> Response:
    """The template with its model."""
    return HTMLResponse(document(template, page=page, **model), status)


def freshness_of(sources: Mapping[str, int], now: int) -> Freshness:
    """How current the sources (`Views.freshness`) are at `now` (UTC ms)."""
    orders = max((sources[each] for each in ("alleaves", "orders") if each in sources), default=None)
    balances = sources.get("balances")
    return Freshness(
        orders,
        balances,
        orders is not None and now - orders > ORDERS_STALE_MS,
        balances is not None and now - balances > BALANCES_STALE_MS,
    )
