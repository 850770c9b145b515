"""The shop's side of a new world: its customers and a year of orders."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from stream.sandbox.world import people
from stream.sandbox.world.model import DAY_MS, Customer, Location, Order, OrderState, World

LOCATIONS = (
    Location(1000, "Downtown", "America/New_York", 88_750, True, True),
    Location(1001, "Riverside", "America/New_York", 80_000, True, False),
    Location(1002, "Hillcrest", "America/Los_Angeles", 102_500, True, True),
)
FIRST_CUSTOMER_ID = 2_000
_SAMPLE_INDEX = 1_528
_SETTLED_MS = 4 * DAY_MS
_FATES = {
    "cancelled": 0.030,
    "void": 0.020,
    "pending": 0.015,
    "unpaid": 0.015,
    "refunded_field": 0.020,
    "lowered": 0.015,
    "voided_after": 0.012,
    "cancelled_after": 0.006,
    "returned": 0.012,
}
"""What becomes of an order, as a share of all; the rest is completed. The last five are forms of refund."""


@dataclass(slots=True)
class _Slot:
    """An order to be made. `plain`: completed, with this total and nothing else."""

    customer_id: int
    created_ms: int
    fate: str = "completed"
    plain_minor: int | None = None
    settled: bool = False


def add_customers(world: World, rng: Random) -> None:
    """All customers; every few hundredth has contact data of their own, 6 % are social-equity customers."""
    size = world.options.size
    offset = min(_SAMPLE_INDEX, size.customers - 2)
    world.sample_customer_id = FIRST_CUSTOMER_ID + offset
    world.sample_member_id = world.sample_customer_id + 1
    for customer_id in range(FIRST_CUSTOMER_ID, FIRST_CUSTOMER_ID + size.customers):
        first, last = people.name(rng)
        created_ms = world.now_ms - (366 + rng.randrange(900)) * DAY_MS
        customer = Customer(customer_id, first, last, created_ms, group=rng.choice((None, None, "adult", "medical")))
        customer.born = f"{rng.randrange(1945, 2003)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
        if customer.group == "medical":
            customer.patient_number = f"P{rng.randrange(10**7):07d}"
        world.add_customer(customer)
    ordinary = [key for key in world.customers if key not in (world.sample_customer_id, world.sample_member_id)]
    for rank, customer_id in enumerate(rng.sample(ordinary, round(len(ordinary) * 0.06))):
        if rank % 4:
            world.customers[customer_id].group = "equity"
        else:
            world.equity_override.add(customer_id)
    for customer_id in (world.sample_customer_id, world.sample_member_id):
        world.customers[customer_id].group = None


def add_orders(world: World, rng: Random, settled: list[int]) -> None:
    """The year's orders. Customers in `settled` have none in the last days, so that no lag explains anything."""
    slots = _slots(world, rng, settled)
    _decide_fates(slots, rng)
    slots.sort(key=lambda slot: slot.created_ms)
    orders: list[Order] = []
    last_total: dict[int, int] = {}
    for slot in slots:
        order = _order(world, rng, slot, world.next_order_id(), last_total.get(slot.customer_id))
        if order.state is OrderState.COMPLETED and order.total_minor > 0:
            last_total[slot.customer_id] = order.total_minor
        orders.append(order)
    world.add_orders(orders)


def priced(total_minor: int, location: Location, rng: Random) -> tuple[int, int, int]:
    """Subtotal, discount and tax of a total: `subtotal - discount + tax = total`."""
    tax = total_minor * location.tax_ppm // (1_000_000 + location.tax_ppm)
    net = total_minor - tax
    discount = net * rng.randrange(5, 21) // 100 if rng.random() < 0.3 else 0
    return net + discount, discount, tax


def basket_minor(rng: Random) -> int:
    """A total: about $50 in the middle, with a long tail."""
    return max(250, int(rng.lognormvariate(8.5, 0.65)))


def _slots(world: World, rng: Random, settled: list[int]) -> list[_Slot]:
    counts = _orders_per_customer(world, rng, settled)
    slots = []
    still = set(settled)
    for customer_id, count in counts.items():
        plain = _plain_totals(world, customer_id, count)
        for index in range(count):
            newest = world.now_ms - (_SETTLED_MS if customer_id in still else 600_000)
            created = newest - rng.randrange(364 * DAY_MS - _SETTLED_MS)
            slots.append(_Slot(customer_id, created, plain_minor=plain[index], settled=customer_id in still))
    return slots


def _plain_totals(world: World, customer_id: int, count: int) -> list[int] | list[None]:
    if customer_id == world.sample_customer_id:
        return [3_955]
    if customer_id == world.sample_member_id:
        return [20_000, 15_000, 10_000]
    return [None] * count


def _orders_per_customer(world: World, rng: Random, settled: list[int]) -> dict[int, int]:
    """Most customers came once or twice, few very often, one in twenty never."""
    samples = {world.sample_customer_id: 1, world.sample_member_id: 3}
    others = [key for key in world.customers if key not in samples and key not in settled]
    rng.shuffle(others)
    budget = world.options.size.orders - sum(samples.values())
    buyers = (settled + others)[: min(budget, len(settled) + len(others) - len(others) // 20)]
    counts = dict.fromkeys(buyers, 1)
    weights = [rng.paretovariate(1.3) for _ in buyers]
    for customer_id in rng.choices(buyers, weights, k=budget - len(buyers)):
        counts[customer_id] += 1
    return samples | counts


def _decide_fates(slots: list[_Slot], rng: Random) -> None:
    """Fixed shares, at least one each, so that every world has every form; returns follow an earlier order."""
    free = [slot for slot in slots if slot.plain_minor is None]
    rng.shuffle(free)
    seen: dict[int, int] = {}
    for slot in free:
        seen[slot.customer_id] = min(seen.get(slot.customer_id, slot.created_ms), slot.created_ms)
    later = [slot for slot in free if slot.created_ms > seen[slot.customer_id]]
    for fate, share in _FATES.items():
        wanted = max(1, round(share * len(slots))) if len(slots) >= 50 else 0
        pool = later if fate == "returned" else free
        open_slots = (slot for slot in pool if slot.fate == "completed")
        for _, slot in zip(range(wanted), open_slots, strict=False):
            slot.fate = fate


def _order(world: World, rng: Random, slot: _Slot, order_id: int, last_total: int | None) -> Order:
    location = rng.choice(LOCATIONS)
    total = basket_minor(rng) if slot.plain_minor is None else slot.plain_minor
    if slot.fate == "returned":
        total = -((last_total or total) * rng.randrange(20, 101) // 100)
    subtotal, discount, tax = priced(total, location, rng)
    order = Order(
        order_id=order_id,
        customer_id=slot.customer_id,
        location_id=location.location_id,
        created_ms=slot.created_ms,
        updated_ms=slot.created_ms + rng.randrange(300_000),
        subtotal_minor=subtotal,
        discount_minor=discount,
        tax_minor=tax,
        total_minor=total,
        state=OrderState.COMPLETED,
        delivery=rng.random() < 0.15,
    )
    newest = world.now_ms - (_SETTLED_MS - DAY_MS // 2 if slot.settled else 0)
    apply_fate(order, slot.fate, min(newest, order.updated_ms + rng.randrange(20 * DAY_MS)), rng)
    return order


def apply_fate(order: Order, fate: str, at_ms: int, rng: Random) -> None:
    """Cancel, void, refund ... an order at a time; `completed` and `returned` leave it as it is."""
    match fate:
        case "cancelled" | "void" | "pending" | "unpaid":
            order.state = OrderState(fate)
            return
        case "refunded_field":
            order.refunded_minor = order.total_minor * rng.choice((25, 50, 100)) // 100
        case "lowered":
            order.total_minor -= order.total_minor * rng.randrange(10, 90) // 100
        case "voided_after" | "cancelled_after":
            order.state = OrderState.VOID if fate == "voided_after" else OrderState.CANCELLED
            order.was_complete = True
        case _:
            return
    order.updated_ms = max(order.updated_ms, at_ms)
