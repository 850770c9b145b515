"""What must come out: one batch sum over the whole world, written in the most obvious way.

It shares nothing with the product (it may not import `stream.loyalty`, `stream.engine` or
`stream.contracts`), so that agreement between the two means something.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Literal, TypedDict

from stream.sandbox.world.model import Customer, Member, Order, OrderState, World


class TierRule(TypedDict):
    name: str
    threshold: int


class Rules(TypedDict, total=False):
    """The brief's settings as a plain dict; what is missing has the brief's default.

    `equityCustomers`: ids on the override list (default: the world's). `rounding`: `half_up`, `floor` or
    `none`; `roundPer`: `total` or `order`; `basis`: `total`, `total_less_tax` or `subtotal`; `compare`: `raw` or
    `expected`. Other keys, such as the colours of tiers, are passed over.
    """

    pointsPerDollar: str | int | float
    equityMultiplier: str | int | float
    tiers: list[TierRule]
    rounding: str
    roundPer: str
    basis: str
    tolerancePercent: str | int | float
    compare: str
    equityCustomers: list[int]


TIERS: list[TierRule] = [
    {"name": "Bronze", "threshold": 0},
    {"name": "Silver", "threshold": 500},
    {"name": "Gold", "threshold": 1000},
]
NoBalance = Literal["not_enrolled", "ambiguous", "hidden", "unreadable"]


@dataclass(frozen=True, slots=True)
class Expected:
    """One customer. `points` are final: the provider's where known, else from orders; `tier` follows them.

    `order_count`: orders that count, negative ones included. `no_verdict_because` says why there is no balance.
    `known`: False for a customer that only orders mention. `moved_points`: the member's redemptions, adjustments and
    expiry that can be read; the verdict takes them into account where `compare` is `expected`.
    """

    customer_id: int
    points_from_orders: int
    total_spent_minor: int
    order_count: int
    provider_points: int | None
    points: int
    tier: str
    tier_from_orders: str
    verdict: Literal["matched", "discrepancy", "none"]
    no_verdict_because: NoBalance | None
    contact_id: str | None
    known: bool
    walk_in: bool
    moved_points: int = 0


@dataclass(frozen=True, slots=True)
class Stats:
    """The brief's figures. A walk-in account is not a customer; one that only orders mention is."""

    totalCustomers: int  # noqa: N815  # the name outside
    withAlpineSync: int  # noqa: N815  # the name outside
    withCalculatedPoints: int  # noqa: N815  # the name outside
    reconciled: int
    needsReview: int  # noqa: N815  # the name outside

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Outcome:
    customers: dict[int, Expected]
    stats: Stats


def expected(world: World, rules: Rules | None = None) -> Outcome:
    """The whole world, computed at once."""
    rules = rules or {}
    balances = dict(_balances(world))
    customers = {
        customer.customer_id: _customer(world, customer, known, balances, rules)
        for customer, known in _everybody(world)
    }
    return Outcome(customers, _stats(customers.values()))


def counted_minor(order: Order, basis: str = "total") -> int | None:
    """What the order adds to its customer's spend, or None when it does not count."""
    if order.defect is not None or order.state is not OrderState.COMPLETED:
        return None
    amounts = {
        "total": order.total_minor,
        "total_less_tax": order.total_minor - order.tax_minor,
        "subtotal": order.subtotal_minor,
    }
    return amounts[basis] - order.refunded_minor


def points_for(amounts_minor: Iterable[int], equity: bool, rules: Rules | None = None) -> int:
    """Points of these amounts: spend times rate times multiplier, rounded, never below 0."""
    rules = rules or {}
    rate = Decimal(str(rules.get("pointsPerDollar", 1)))
    if equity:
        rate *= Decimal(str(rules.get("equityMultiplier", "1.2")))
    rounding = rules.get("rounding", "half_up")
    amounts = list(amounts_minor)
    if rules.get("roundPer", "total") == "order":
        points = sum((_rounded(Decimal(amount) / 100 * rate, rounding) for amount in amounts), Decimal(0))
    else:
        points = _rounded(Decimal(max(sum(amounts), 0)) / 100 * rate, rounding)
    return max(int(points), 0)


def verdict(provider: int, ours: int, percent: Decimal) -> Literal["matched", "discrepancy"]:
    """More than `percent` of the provider's balance is a discrepancy; of a balance of 0, everything is."""
    difference = abs(provider - ours)
    return "discrepancy" if difference * 100 > percent * abs(provider) else "matched"


def tier(points: int, tiers: list[TierRule]) -> str:
    reached = [rule for rule in tiers if points >= rule["threshold"]]
    return max(reached, key=lambda rule: rule["threshold"])["name"]


def points_now(world: World, customer_id: int) -> int:
    """One customer's points from orders by the brief's rules: for building and trading."""
    customer = world.customers.get(customer_id)
    if customer is None or customer.walk_in:
        return 0
    amounts = [counted_minor(order) for order in world.orders_of(customer_id)]
    return points_for([amount for amount in amounts if amount is not None], world.is_equity(customer))


def _rounded(points: Decimal, rounding: str) -> Decimal:
    if rounding == "none":
        return points
    return points.quantize(Decimal(1), {"half_up": ROUND_HALF_UP, "floor": ROUND_FLOOR}[rounding])


def _everybody(world: World) -> Iterator[tuple[Customer, bool]]:
    for customer in world.customers.values():
        if not customer.nameless:
            yield customer, True
    for customer_id in world.customer_ids_with_orders():
        readable = any(order.defect is None for order in world.orders_of(customer_id))
        if customer_id not in world.customers and readable:
            yield Customer(customer_id, "", "", 0), False


def _customer(
    world: World,
    customer: Customer,
    known: bool,
    balances: Mapping[int, Member | NoBalance],
    rules: Rules,
) -> Expected:
    orders = [] if customer.walk_in else world.orders_of(customer.customer_id)
    counted = [counted_minor(order, rules.get("basis", "total")) for order in orders]
    amounts = [amount for amount in counted if amount is not None]
    override = rules.get("equityCustomers")
    listed = world.equity_override if override is None else override
    equity = customer.group == "equity" or customer.customer_id in listed
    ours = points_for(amounts, equity, rules)

    found = balances.get(customer.customer_id, "not_enrolled")
    member = found if isinstance(found, Member) else None
    provider = member.points if member else None
    final = ours if provider is None else provider
    tiers = rules.get("tiers", TIERS)
    percent = Decimal(str(rules.get("tolerancePercent", 10)))
    moved = sum(movement.points for movement in member.movements if not movement.broken) if member else 0
    compared = ours + moved if rules.get("compare", "raw") == "expected" else ours
    return Expected(
        customer_id=customer.customer_id,
        points_from_orders=ours,
        total_spent_minor=sum(amounts),
        order_count=len(amounts),
        provider_points=provider,
        points=final,
        tier=tier(final, tiers),
        tier_from_orders=tier(ours, tiers),
        verdict="none" if provider is None else verdict(provider, compared, percent),
        no_verdict_because=None if isinstance(found, Member) else found,
        contact_id=member.contact_id if member else None,
        known=known,
        walk_in=customer.walk_in,
        moved_points=moved,
    )


def _balances(world: World) -> Iterator[tuple[int, Member | NoBalance]]:
    """Join customers and members: best identity first (code, phone, e-mail); shared ones are ambiguous."""
    members: dict[str, list[Member]] = defaultdict(list)
    for member in world.members.values():
        for identity in _member_identities(member):
            members[identity].append(member)
    customers = [each for each in world.customers.values() if not (each.walk_in or each.nameless)]
    holders = Counter(identity for customer in customers for identity in set(_customer_identities(customer)))
    for customer in customers:
        for identity in _customer_identities(customer):
            if identity in members:
                yield customer.customer_id, _balance(members[identity], holders[identity])
                break


def _balance(found: list[Member], holders: int) -> Member | NoBalance:
    if holders > 1 or len(found) > 1:
        return "ambiguous"
    if found[0].hidden:
        return "hidden"
    return "unreadable" if found[0].unreadable else found[0]


def _customer_identities(customer: Customer) -> list[str]:
    """Best first."""
    kinds = (
        ("code", customer.alpine_user_code),
        ("phone", customer.phone),
        ("phone", customer.phone2),
        ("email", customer.email),
    )
    return [f"{kind}:{value}" for kind, value in kinds if value]


def _member_identities(member: Member) -> list[str]:
    if member.broken:
        return []
    kinds = (("code", member.contact_id), ("phone", member.phone), ("email", member.email))
    return [f"{kind}:{value}" for kind, value in kinds if value]


def _stats(everybody: Iterable[Expected]) -> Stats:
    customers = [customer for customer in everybody if not customer.walk_in]
    verdicts = Counter(customer.verdict for customer in customers)
    return Stats(
        totalCustomers=len(customers),
        withAlpineSync=sum(customer.provider_points is not None for customer in customers),
        withCalculatedPoints=len(customers),
        reconciled=verdicts["matched"],
        needsReview=verdicts["discrepancy"],
    )
