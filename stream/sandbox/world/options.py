"""What a world may be: its size, how the point of sale lists it, and how unkind it is."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WorldSize:
    """How many of what. The defaults are the brief's measured run.

    `orders`: all orders, those that do not count included. `members`: customers with a provider balance, of
    which `discrepancies` are off by far more than 10 %. `strangers`: provider members unknown at the shop.
    """

    orders: int = 2_689
    customers: int = 1_641
    members: int = 245
    discrepancies: int = 5
    strangers: int = 38

    def __post_init__(self) -> None:
        if self.customers < 2 or not 1 <= self.members <= self.customers - 1:
            raise ValueError("a world needs at least 2 customers, and 1 to customers - 1 members")
        if not 0 <= self.discrepancies < self.members:
            raise ValueError("discrepancies must be fewer than members (one member is the brief's sample)")
        if self.orders < self.discrepancies + 4:
            raise ValueError("a world needs at least discrepancies + 4 orders")

    @classmethod
    def of(cls, orders: int | None = None, customers: int | None = None) -> WorldSize:
        """The default size, or one with the same proportions for other numbers of orders and customers."""
        default = cls()
        customers = customers or (default.customers if orders is None else max(2, round(orders / 1.64)))
        if customers == default.customers:
            return cls(orders=orders or default.orders)
        members = min(customers - 1, max(1, round(customers * 0.15)))
        return cls(
            orders=orders or round(customers * 1.64),
            customers=customers,
            members=members,
            discrepancies=min(members - 1, max(1, members // 49)),
            strangers=max(1, members // 6),
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """How `GET /order` behaves where the vendor is silent; every field is an assumption one may flip.

    `end_inclusive`: whether `endDate` itself is listed. `utc_offset_hours`: the time zone of both dates.
    `date_updated`: whether orders carry that field. `repeat_every`: each so many pages a row of the page
    before appears again, as when rows shift during paging (0: never). `default_days`: the window used when
    no dates are sent.
    """

    newest_first: bool = True
    end_inclusive: bool = True
    utc_offset_hours: int = 0
    date_updated: bool = True
    refund_field: str = "refunded_amount"
    repeat_every: int = 0
    max_page_size: int = 100
    default_days: int = 7


@dataclass(frozen=True, slots=True)
class Hostility:
    """Rows added on top of the world's size: what a real shop's data does to a naive sync."""

    malformed_each: int = 2
    """Orders of every `Defect` (cannot be read: count 0) and of every `Oddity` (odd, but readable)."""
    bare_nan: bool = True
    """Also a literal `NaN` as `total`: not JSON, yet some servers write it."""
    names: int = 24
    walk_in_orders: int = 150
    unknown_customers: int = 4
    shared_identities: int = 3
    hidden_wallets: int = 4
    unreadable_balances: int = 2
    malformed_customers: int = 3
    malformed_members: int = 3
    malformed_movements: int = 2


@dataclass(frozen=True, slots=True)
class WorldOptions:
    """`hostility`: None for a kind world. `movements`: some members redeem, so that `compare = raw` and `expected`
    disagree about them (see `world.movements`); the figures are then not the brief's."""

    size: WorldSize = field(default_factory=WorldSize)
    listing: Listing = field(default_factory=Listing)
    hostility: Hostility | None = None
    movements: bool = False
