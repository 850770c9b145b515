"""Live trade: a stream of changes to a world, the same for the same seed and times."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal
from enum import StrEnum
from random import Random

from stream.sandbox.oracle import points_now, verdict
from stream.sandbox.world import people
from stream.sandbox.world.model import Customer, Member, Order, OrderState, World
from stream.sandbox.world.provider import Directory, agreeing, enrol
from stream.sandbox.world.shop import LOCATIONS, apply_fate, basket_minor, priced


class ChangeKind(StrEnum):
    NEW = "new"
    EDITED = "edited"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    MOVED = "moved"
    NEW_CUSTOMER = "new_customer"
    CONTACT = "contact"


_WEIGHTS = {
    ChangeKind.NEW: 60,
    ChangeKind.EDITED: 12,
    ChangeKind.CANCELLED: 6,
    ChangeKind.REFUNDED: 9,
    ChangeKind.MOVED: 4,
    ChangeKind.NEW_CUSTOMER: 5,
    ChangeKind.CONTACT: 4,
}
_REFUNDS = ("refunded_field", "lowered", "voided_after", "returned")


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed. `how`: the form of a refund or edit; `former_customer_id`: whose a moved order was."""

    kind: ChangeKind
    at_ms: int
    customer_id: int
    order_id: int | None = None
    former_customer_id: int | None = None
    how: str | None = None

    def as_dict(self) -> dict[str, str | int | None]:
        return asdict(self)


class Trade:
    """Changes a world, one at a time.

    With `provider_follows` a member who agreed before a change agrees after it, without lag; customers who
    disagree from the start are left alone, so that `needsReview` stays what it was.
    """

    def __init__(self, world: World, seed: int | None = None, provider_follows: bool = True) -> None:
        self.world = world
        self.provider_follows = provider_follows
        self._rng = Random(f"trade:{world.seed if seed is None else seed}")
        self._directory = Directory(
            Random(f"trade-directory:{world.seed}"), first_phone=250_000, first_contact=80_000_000
        )
        self._members: dict[str, Member] = {}
        for member in world.members.values():
            self._index(member)
        self._steady = {
            customer_id for customer_id, customer in world.customers.items() if self._disagrees(customer)
        } | {world.sample_customer_id, world.sample_member_id}

    def run(self, changes: int, now_ms: int, kinds: tuple[ChangeKind, ...] = tuple(ChangeKind)) -> list[Change]:
        """This many changes, each a millisecond after the one before, the last at `now_ms`."""
        weights = [_WEIGHTS[kind] for kind in kinds]
        chosen = self._rng.choices(kinds, weights, k=changes)
        return [self.change(kind, now_ms - changes + 1 + index) for index, kind in enumerate(chosen)]

    def change(self, kind: ChangeKind, now_ms: int) -> Change:
        """One change of this kind."""
        match kind:
            case ChangeKind.NEW:
                state = OrderState.COMPLETED if self._rng.random() < 0.85 else OrderState.PENDING
                order = self.sell(self._somebody().customer_id, now_ms, basket_minor(self._rng), state)
                return Change(kind, now_ms, order.customer_id, order.order_id, how=state.value)
            case ChangeKind.NEW_CUSTOMER:
                return self._new_customer(now_ms)
            case ChangeKind.CONTACT:
                return self._contact(now_ms)
            case ChangeKind.MOVED:
                return self._move(now_ms)
            case _:
                return self._alter(kind, now_ms)

    def sell(self, customer_id: int, now_ms: int, total_minor: int, state: OrderState = OrderState.COMPLETED) -> Order:
        """A new order of this customer."""
        location = self._rng.choice(LOCATIONS)
        subtotal, discount, tax = priced(total_minor, location, self._rng)
        order = Order(
            self.world.next_order_id(), customer_id, location.location_id, now_ms, now_ms,
            subtotal, discount, tax, total_minor, state,
        )  # fmt: skip
        before = points_now(self.world, customer_id)
        self.world.add_order(order)
        self._follow(customer_id, before)
        return order

    def _alter(self, kind: ChangeKind, now_ms: int) -> Change:
        order = self._some_order()
        before = points_now(self.world, order.customer_id)
        if kind is ChangeKind.REFUNDED:
            how = self._rng.choice(_REFUNDS)
            if how == "returned":
                negative = self.sell(order.customer_id, now_ms, -order.total_minor)
                return Change(kind, now_ms, order.customer_id, negative.order_id, how=how)
        elif kind is ChangeKind.CANCELLED:
            how = "cancelled_after"
        else:
            how = "total"
            order.total_minor += self._rng.randrange(1, 2_500)
            order.updated_ms = now_ms
        apply_fate(order, how, now_ms, self._rng)
        self._follow(order.customer_id, before)
        return Change(kind, now_ms, order.customer_id, order.order_id, how=how)

    def _move(self, now_ms: int) -> Change:
        order, to = self._some_order(), self._somebody()
        former = order.customer_id
        before = {each: points_now(self.world, each) for each in (former, to.customer_id)}
        self.world.move_order(order, to.customer_id, now_ms)
        for customer_id, points in before.items():
            self._follow(customer_id, points)
        return Change(ChangeKind.MOVED, now_ms, to.customer_id, order.order_id, former_customer_id=former)

    def _new_customer(self, now_ms: int) -> Change:
        first, last = people.name(self._rng)
        customer = Customer(self.world.next_customer_id(), first, last, now_ms)
        self.world.add_customer(customer)
        order = self.sell(customer.customer_id, now_ms, basket_minor(self._rng))
        return Change(ChangeKind.NEW_CUSTOMER, now_ms, customer.customer_id, order.order_id)

    def _contact(self, now_ms: int) -> Change:
        """Somebody without a provider account leaves a phone, an e-mail address, or joins the programme."""
        customer = next((each for each in (self._somebody() for _ in range(200)) if self._member(each) is None), None)
        if customer is None:
            return Change(ChangeKind.CONTACT, now_ms, self._somebody().customer_id, how="nothing")
        how = self._rng.choice(("phone", "email", "joined"))
        if how == "phone":
            customer.phone = self._directory.phone()
        elif how == "email":
            customer.email = self._directory.email(customer.name_first or "a", customer.name_last or "b")
        else:
            member = enrol(self.world, customer, self._rng, self._directory)
            member.points = agreeing(points_now(self.world, customer.customer_id), self._rng)
            self._index(member)
        return Change(ChangeKind.CONTACT, now_ms, customer.customer_id, how=how)

    def _somebody(self) -> Customer:
        while True:
            customer = self.world.random_customer(self._rng)
            ordinary = not (customer.walk_in or customer.nameless)
            if ordinary and customer.customer_id not in self._steady:
                return customer

    def _some_order(self) -> Order:
        """A completed order that nothing has happened to yet; a new one if there is none to be found."""
        for _ in range(200):
            order = self.world.order_at(self._rng.randrange(len(self.world.orders)))
            untouched = order.state is OrderState.COMPLETED and order.total_minor > 0 and not order.refunded_minor
            usual = order.defect is None and order.oddity is None and order.customer_id not in self._steady
            customer = self.world.customers.get(order.customer_id)
            if untouched and usual and customer is not None and not customer.walk_in:
                return order
        return self.sell(self._somebody().customer_id, self.world.now_ms, basket_minor(self._rng))

    def _follow(self, customer_id: int, before: int) -> None:
        customer = self.world.customers.get(customer_id)
        member = self._member(customer) if customer else None
        if member is None or not self.provider_follows:
            return
        after = points_now(self.world, customer_id)
        room = after * 5 // 100
        member.points = after + min(max(member.points - before, -room), room)

    def _disagrees(self, customer: Customer) -> bool:
        member = self._member(customer)
        ours = points_now(self.world, customer.customer_id)
        return member is not None and verdict(member.points, ours, Decimal(10)) == "discrepancy"

    def _index(self, member: Member) -> None:
        for identity in (member.contact_id, member.phone, member.email):
            if identity and not member.broken:
                self._members[identity] = member

    def _member(self, customer: Customer) -> Member | None:
        identities = (customer.alpine_user_code, customer.phone, customer.phone2, customer.email)
        return next((self._members[each] for each in identities if each in self._members), None)
