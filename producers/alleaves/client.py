"""Alleaves' HTTP API: what is called, with what, and in what shape the answers come."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from types import TracebackType
from typing import Self

import httpx
from pydantic import ValidationError

from producers.alleaves.listing import FullPage
from producers.alleaves.pages import Item, Page, page_of
from producers.alleaves.token import TokenAuthorization
from producers.alleaves.wire import WireId, WireLocation, wire_id
from producers.http import Budget, Clock, NotFound, Rate, UnreadableAnswer, VendorHttp
from stream.contracts.names import Millis
from stream.settings import AlleavesSettings


class AlleavesClient:
    """One org's access. Every call raises `VendorError`s as `VendorHttp` does.

    `full_orders`, `full_customers`: how long a full page of each list is, as far as has been seen.
    """

    def __init__(self, http: VendorHttp, *, page_size: int, customers_page_size: int | None = None) -> None:
        self.http = http
        self.full_orders = FullPage()
        self.full_customers = FullPage()
        self._page_size = page_size
        self._customers_page_size = customers_page_size or page_size

    @classmethod
    def of(
        cls,
        settings: AlleavesSettings,
        *,
        clock: Clock | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> Self:
        """A client as configured; `transport` is for tests."""
        secrets = [secret.get_secret_value() for secret in (settings.password, settings.pin) if secret]
        budget = Budget([Rate.per_second(settings.requests_per_second)], at_once=settings.requests_at_once, clock=clock)
        http = VendorHttp(
            vendor="Alleaves",
            base_url=str(settings.base_url),
            timeout_seconds=settings.timeout_seconds,
            budget=budget,
            authorize=TokenAuthorization(settings, clock),
            clock=clock,
            secrets=secrets,
            transport=transport,
        )
        return cls(http, page_size=settings.page_size, customers_page_size=settings.customers_page_size)

    def now(self) -> Millis:
        """Now by the vendor's clock as far as it is known, UTC ms."""
        return Millis(round(self.http.vendor_seconds * 1000))

    def own_now(self) -> Millis:
        """Now by our own clock, UTC ms: for saying when something was said."""
        return Millis(round(self.http.own_seconds * 1000))

    async def locations(self) -> tuple[WireLocation, ...]:
        """The org's shops."""
        page = page_of(await self.http.call("GET", "/location"), "GET /location")
        try:
            return tuple(WireLocation.model_validate(item.document) for item in page.items)
        except ValidationError as error:
            raise UnreadableAnswer(f"Alleaves lists a location that cannot be read: {error}", body=page.body) from error

    async def orders(self, page: int, start: date, end: date) -> Page:
        """Page `page` (from 1) of the orders between two dates.

        Sort, time zone and inclusivity of the dates are unknown: callers overlap windows and take each id once.
        """
        params: dict[str, str | int] = {
            "page": page,
            "pageSize": self._page_size,
            "startDate": start.isoformat(),
            "endDate": end.isoformat(),
        }
        return page_of(await self.http.call("GET", "/order", params=params), "GET /order")

    async def customers(self, page: int, query: str | None = None) -> Page:
        """Page `page` (from 1) of the customers, or of those that match `query`."""
        body: dict[str, object] = {"page": page, "pageSize": self._customers_page_size}
        if query is not None:
            body["query"] = query
        return page_of(await self.http.call("POST", "/customer/search", json=body), "POST /customer/search")

    async def find_customer(self, customer: WireId, queries: Iterable[str] = ()) -> tuple[Item, Page] | None:
        """One customer, looked for by id and then by `queries` (phones, e-mail); only that very id is taken.

        No call reads one customer, and what `query` matches is unknown: None says only that nobody was found.
        """
        for query in (customer, *queries):
            page = await self.customers(1, query)
            for item in page.items:
                if _is_of(item, customer):
                    return item, page
        return None

    async def order(self, order: WireId) -> Item | None:
        """One order as it stands; None when there is none."""
        try:
            answer = await self.http.call("GET", f"/order/{order}", label="/order/{id}")
        except NotFound:
            return None
        return Item(answer.document, answer.body)

    async def aclose(self) -> None:
        await self.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _is_of(item: Item, customer: WireId) -> bool:
    try:
        return isinstance(item.document, dict) and wire_id(item.document.get("id_customer")) == customer
    except ValueError:
        return False
