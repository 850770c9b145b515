"""What a real shop's data does to a naive sync, added on top of a kind world."""

from __future__ import annotations

from random import Random

from stream.sandbox.oracle import points_now
from stream.sandbox.world import people
from stream.sandbox.world.model import DAY_MS, Customer, Defect, Member, Movement, Oddity, Order, OrderState, World
from stream.sandbox.world.options import Hostility
from stream.sandbox.world.provider import Directory, add_stranger, agreeing, enrol
from stream.sandbox.world.shop import LOCATIONS, basket_minor, priced


def add_hostility(world: World, hostility: Hostility, rng: Random, directory: Directory) -> None:
    """Everything that `hostility` asks for. Balances of members whose orders it touches agree again afterwards."""
    _rename(world, hostility, rng)
    _malformed_orders(world, hostility, rng)
    _walk_in(world, hostility, rng)
    _unknown_customers(world, hostility, rng)
    _shared_identities(world, hostility, rng, directory)
    _unknowable_balances(world, hostility, rng, directory)
    _malformed_rows(world, hostility, rng, directory)
    _malformed_movements(world, hostility)


def _rename(world: World, hostility: Hostility, rng: Random) -> None:
    for rank, customer_id in enumerate(rng.sample(sorted(world.customers), min(hostility.names, len(world.customers)))):
        customer = world.customers[customer_id]
        customer.name_first, customer.name_last = people.HOSTILE_NAMES[rank % len(people.HOSTILE_NAMES)]


def _malformed_orders(world: World, hostility: Hostility, rng: Random) -> None:
    """Only customers who are no members get them, so that the agreed balances stay as they are."""
    plain = [key for key in world.customers if key != world.sample_customer_id and not _reachable(world.customers[key])]
    for defect in Defect:
        if defect is Defect.BARE_NAN_TOTAL and not hostility.bare_nan:
            continue
        for _ in range(hostility.malformed_each):
            _add_order(world, rng.choice(plain), rng, 300 * DAY_MS).defect = defect
    for oddity in Oddity:
        for _ in range(hostility.malformed_each):
            order = _add_order(world, rng.choice(plain), rng, 300 * DAY_MS)
            order.oddity = oddity
            if oddity is Oddity.STRANGE_STATUS_OPEN:
                order.state = OrderState.PENDING
            if oddity is Oddity.COMPLETE_BUT_UNPAID:
                order.state = OrderState.UNPAID


def _walk_in(world: World, hostility: Hostility, rng: Random) -> None:
    """One account named Guest with a long history; it earns nothing and is not a customer."""
    guest = Customer(world.next_customer_id(), "Guest", "", world.now_ms - 900 * DAY_MS, walk_in=True)
    world.add_customer(guest)
    for _ in range(hostility.walk_in_orders):
        _add_order(world, guest.customer_id, rng, 364 * DAY_MS)


def _unknown_customers(world: World, hostility: Hostility, rng: Random) -> None:
    """Orders of customers whom the customer list does not have."""
    for number in range(hostility.unknown_customers):
        for _ in range(rng.randrange(1, 3)):
            _add_order(world, 900_000 + number, rng, 300 * DAY_MS)


def _shared_identities(world: World, hostility: Hostility, rng: Random, directory: Directory) -> None:
    """Two or three customers with one phone that one member has: nobody can say whose balance it is."""
    for number in range(hostility.shared_identities):
        member = add_stranger(world, rng, directory)
        for _ in range(2 + number % 2):
            customer = _new_customer(world, rng)
            customer.phone = member.phone
            _add_order(world, customer.customer_id, rng, 300 * DAY_MS)


def _unknowable_balances(world: World, hostility: Hostility, rng: Random, directory: Directory) -> None:
    for number in range(hostility.hidden_wallets + hostility.unreadable_balances):
        customer = _new_customer(world, rng)
        _add_order(world, customer.customer_id, rng, 300 * DAY_MS)
        member = enrol(world, customer, rng, directory)
        member.points = agreeing(points_now(world, customer.customer_id), rng)
        member.hidden = number < hostility.hidden_wallets
        member.unreadable = not member.hidden


def _malformed_rows(world: World, hostility: Hostility, rng: Random, directory: Directory) -> None:
    for _ in range(hostility.malformed_customers):
        _new_customer(world, rng).nameless = True
    for _ in range(hostility.malformed_members):
        member: Member = add_stranger(world, rng, directory)
        member.broken = True


def _malformed_movements(world: World, hostility: Hostility) -> None:
    """Of members whom the shop does not know, so that no verdict rests on them."""
    for member in list(world.members.values())[-hostility.malformed_movements :]:
        for kind in ("redemption", "adjustment"):
            member.movements.append(Movement(kind, -10, world.now_ms - 50 * DAY_MS, "unreadable", broken=True))


def _new_customer(world: World, rng: Random) -> Customer:
    first, last = people.name(rng)
    customer = Customer(world.next_customer_id(), first, last, world.now_ms - 500 * DAY_MS)
    world.add_customer(customer)
    return customer


def _add_order(world: World, customer_id: int, rng: Random, within_ms: int) -> Order:
    location, total = rng.choice(LOCATIONS), basket_minor(rng)
    created = world.now_ms - 4 * DAY_MS - rng.randrange(within_ms - 4 * DAY_MS)
    subtotal, discount, tax = priced(total, location, rng)
    order = Order(
        world.next_order_id(), customer_id, location.location_id, created, created,
        subtotal, discount, tax, total, OrderState.COMPLETED,
    )  # fmt: skip
    world.add_order(order)
    return order


def _reachable(customer: Customer) -> bool:
    return bool(customer.alpine_user_code or customer.phone or customer.email)
