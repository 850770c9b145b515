"""What exists in the world: locations, customers, orders, provider members. Truth, not yet vendor JSON.

Money is integer minor units, times are UTC milliseconds. `rows.py` turns it into what the vendors answer,
`stream.sandbox.oracle` into what must come out.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from stream.sandbox.world.options import WorldOptions

DAY_MS = 86_400_000


class OrderState(StrEnum):
    """Only `completed` orders count."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    VOID = "void"
    PENDING = "pending"
    UNPAID = "unpaid"


class Defect(StrEnum):
    """An order that cannot be read. It counts 0 and must be reported, never passed over in silence."""

    NOT_AN_OBJECT = "not_an_object"
    NO_ID = "no_id"
    NO_CUSTOMER = "no_customer"
    LIST_CUSTOMER = "list_customer"
    NO_TOTAL = "no_total"
    NULL_TOTAL = "null_total"
    TEXT_TOTAL = "text_total"
    NAN_TOTAL = "nan_total"
    BARE_NAN_TOTAL = "bare_nan_total"
    INFINITE_TOTAL = "infinite_total"
    HUGE_EXPONENT = "huge_exponent"
    HUGE_EXPONENT_TEXT = "huge_exponent_text"
    OBJECT_TOTAL = "object_total"
    BOOLEAN_TOTAL = "boolean_total"


class Oddity(StrEnum):
    """An order that looks odd and is readable all the same: it counts like any other."""

    NULL_ITEMS = "null_items"
    TEXT_IDS = "text_ids"
    STRANGE_STATUS_COMPLETE = "strange_status_complete"
    STRANGE_STATUS_OPEN = "strange_status_open"
    UNKNOWN_FIELDS = "unknown_fields"
    COMPLETE_BUT_UNPAID = "complete_but_unpaid"


@dataclass(frozen=True, slots=True)
class Location:
    location_id: int
    reference: str
    timezone: str
    tax_ppm: int
    adult_use: bool
    medical_use: bool


@dataclass(slots=True)
class Customer:
    """A customer at the point of sale. `phone`, `phone2` are ten bare digits, `email` is in lower case."""

    customer_id: int
    name_first: str
    name_last: str
    created_ms: int
    born: str | None = None
    phone: str | None = None
    phone2: str | None = None
    email: str | None = None
    alpine_user_code: str | None = None
    group: str | None = None
    walk_in: bool = False
    patient_number: str | None = None
    nameless: bool = False
    """The row has no `id_customer`: nobody can tell whose it is."""


@dataclass(slots=True)
class Order:
    """`total_minor` is after discount and with tax; `refunded_minor` is what was given back without lowering it.

    `was_complete`: a completed order that was voided or cancelled afterwards.
    """

    order_id: int
    customer_id: int
    location_id: int
    created_ms: int
    updated_ms: int
    subtotal_minor: int
    discount_minor: int
    tax_minor: int
    total_minor: int
    state: OrderState
    refunded_minor: int = 0
    was_complete: bool = False
    delivery: bool = False
    defect: Defect | None = None
    oddity: Oddity | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """What moved a provider balance besides accrual: redemption, adjustment or expiry. Points are signed.

    `broken`: its row cannot be read, so that nobody hears of it.
    """

    kind: str
    points: int
    at_ms: int
    note: str
    broken: bool = False


@dataclass(slots=True)
class Member:
    """A contact at the loyalty provider. `hidden`: its points read 0 and are unknown."""

    contact_id: str
    name_first: str
    name_last: str
    points: int
    inserted_ms: int
    phone: str | None = None
    email: str | None = None
    hidden: bool = False
    unreadable: bool = False
    broken: bool = False
    """The row lacks its contact id and every identity."""
    movements: list[Movement] = field(default_factory=list)


class World:
    """All of it, with the indexes that listing needs. Changes go through its methods."""

    def __init__(self, seed: int, now_ms: int, options: WorldOptions) -> None:
        self.seed = seed
        self.now_ms = now_ms
        self.options = options
        self.locations: list[Location] = []
        self.customers: dict[int, Customer] = {}
        self.orders: dict[int, Order] = {}
        self.members: dict[str, Member] = {}
        self.equity_override: set[int] = set()
        self.sample_customer_id = 0
        """The customer with one order of 39.55: 40 points, Bronze."""
        self.sample_member_id = 0
        """The brief's sample for the agent tool: 450 points from orders, 475 at the provider, +15551234567."""
        self._by_customer: dict[int, list[int]] = {}
        self._by_date: list[tuple[int, int]] = []
        self._customer_ids: list[int] = []
        self._last_order_id = 100_000

    @property
    def size(self) -> tuple[int, int, int]:
        """Orders, customers, members."""
        return len(self.orders), len(self.customers), len(self.members)

    def add_customer(self, customer: Customer) -> None:
        self.customers[customer.customer_id] = customer
        insort(self._customer_ids, customer.customer_id)

    def is_equity(self, customer: Customer) -> bool:
        return customer.group == "equity" or customer.customer_id in self.equity_override

    def add_order(self, order: Order) -> None:
        self.orders[order.order_id] = order
        insort(self._by_date, (order.created_ms, order.order_id))
        self._by_customer.setdefault(order.customer_id, []).append(order.order_id)

    def add_orders(self, orders: list[Order]) -> None:
        """Many at once: the index is sorted once instead of kept sorted."""
        for order in orders:
            self.orders[order.order_id] = order
            self._by_customer.setdefault(order.customer_id, []).append(order.order_id)
        self._by_date = sorted((order.created_ms, order.order_id) for order in self.orders.values())

    def move_order(self, order: Order, customer_id: int, now_ms: int) -> None:
        """Give an order to another customer."""
        self._by_customer[order.customer_id].remove(order.order_id)
        order.customer_id = customer_id
        order.updated_ms = now_ms
        self._by_customer.setdefault(customer_id, []).append(order.order_id)

    def orders_of(self, customer_id: int) -> list[Order]:
        return [self.orders[order_id] for order_id in self._by_customer.get(customer_id, ())]

    def customer_ids_with_orders(self) -> Iterator[int]:
        return iter(self._by_customer)

    def orders_between(self, start_ms: int, end_ms: int) -> range:
        """Positions in the date index of the orders with `start_ms <= created < end_ms`."""
        return range(bisect_left(self._by_date, (start_ms, 0)), bisect_left(self._by_date, (end_ms, 0)))

    def order_at(self, position: int) -> Order:
        return self.orders[self._by_date[position][1]]

    def customers_at(self, start: int, count: int) -> list[Customer]:
        """In order of id."""
        return [self.customers[key] for key in self._customer_ids[start : start + count]]

    def random_customer(self, rng: Random) -> Customer:
        return self.customers[rng.choice(self._customer_ids)]

    def next_order_id(self) -> int:
        self._last_order_id = max(self._last_order_id + 1, len(self.orders) + 100_001)
        return self._last_order_id

    def next_customer_id(self) -> int:
        return self._customer_ids[-1] + 1
