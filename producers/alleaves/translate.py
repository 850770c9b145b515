"""From what Alleaves sends to facts. Pure: values in, values out.

What cannot be understood becomes a `DeadLetter` with the original bytes; the rest of its page goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import NamedTuple, Protocol

import msgspec
from pydantic import ValidationError

from producers.alleaves.pages import Item
from producers.alleaves.times import utc_millis
from producers.alleaves.wire import WireCustomer, WireOrder, wire_id
from stream.contracts.facts import CustomerObserved, OrderObserved
from stream.contracts.names import CustomerId, Identity, Millis, Minor, OrderId, customer_id, order_id
from stream.contracts.people import Person
from stream.errors import BadRecord
from stream.loyalty.money import digits_of, minor_units
from stream.settings import EquitySettings

LONGEST_NAME = 200
LONGEST_WORD = 100
LONGEST_EMAIL = 254
"""Mail takes no longer ones."""
_ENCODER = msgspec.json.Encoder(order="deterministic")


class IdentityMaker(Protocol):
    """What of `producers.identity.Identities` is needed here."""

    def of(self, code: str | None, phones: Sequence[str | None], email: str | None) -> tuple[Identity, ...]: ...

    def e164(self, phone: str | None) -> str | None: ...


class OrderSeen(NamedTuple):
    """A readable order and whose it is."""

    customer: CustomerId
    fact: OrderObserved


class CustomerSeen(NamedTuple):
    """A readable customer. `person` is None when that person asked to be forgotten."""

    customer: CustomerId
    fact: CustomerObserved
    person: Person | None


class DeadLetter(NamedTuple):
    """What could not be understood, and why. `order`, `customer`: where those could be read all the same."""

    raw: bytes
    reason: str
    exception: str
    observed_at: Millis
    order: OrderId | None = None
    customer: CustomerId | None = None


@dataclass(frozen=True)
class Translator:
    """How one org's data is to be read.

    `refunded_fields`: names of the refunded amount, the first that is present counts. `walk_in_names`: first names
    of the walk-in pseudo-customer. `locations`: only orders of these; empty: all. `zone`: of times that come
    without an offset (that these are UTC is an assumption). `erased`: customers who asked to be forgotten, as `people`
    says (it may grow meanwhile): of them there is no personal data, no identity, and no row in a dead letter.
    """

    identities: IdentityMaker
    currency: str = "USD"
    refunded_fields: tuple[str, ...] = ()
    walk_in_names: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    equity: EquitySettings = field(default_factory=EquitySettings)
    zone: tzinfo = UTC
    erased: Collection[str] = frozenset()

    def order(self, item: Item, observed_at: Millis) -> OrderSeen | DeadLetter | None:
        """An element of `GET /order`, or `GET /order/{id}`. None: of a location that is not ours to read."""
        try:
            if self._elsewhere(_row(item)):
                return None
            wire = WireOrder.model_validate(_row(item))
            return OrderSeen(_customer(wire.id_customer), self._order_fact(wire, _row(item), observed_at))
        except (BadRecord, ValidationError) as error:
            return self._dead_order(item, observed_at, error)

    def customer(self, item: Item, observed_at: Millis) -> CustomerSeen | DeadLetter:
        """An element of `POST /customer/search`."""
        try:
            wire = WireCustomer.model_validate(_row(item))
            customer = _customer(wire.id_customer)
            forgotten = customer in self.erased
            fact = self._customer_fact(wire, _row(item), observed_at, forgotten)
            return CustomerSeen(customer, fact, None if forgotten else self._person(wire, observed_at))
        except (BadRecord, ValidationError) as error:
            raw = self._kept(item, _readable(_fields(item).get("id_customer")))
            return DeadLetter(raw, _reason(error), type(error).__name__, observed_at)

    def _dead_order(self, item: Item, observed_at: Millis, error: BadRecord | ValidationError) -> DeadLetter:
        fields = _fields(item)
        order, customer = _readable(fields.get("id_order")), _readable(fields.get("id_customer"))
        return DeadLetter(
            self._kept(item, customer),
            _reason(error),
            type(error).__name__,
            observed_at,
            OrderId(order) if order else None,
            CustomerId(customer) if customer else None,
        )

    def _kept(self, item: Item, customer: str | None) -> bytes:
        """What a dead letter may hold of a row."""
        return b"" if customer in self.erased else item.raw

    def _elsewhere(self, row: dict[str, object]) -> bool:
        """Whether it is of a location that is not ours; looked at first, for the rest may be unreadable."""
        try:
            location = wire_id(row.get("id_location"))
        except ValueError:
            return False
        return bool(self.locations) and location is not None and location not in self.locations

    def _order_fact(self, wire: WireOrder, row: dict[str, object], observed_at: Millis) -> OrderObserved:
        fact = OrderObserved(
            order=_order(wire.id_order),
            total_minor=self._required("total", wire.total),
            currency=self.currency,
            created_at=utc_millis(wire.date_created, self.zone),
            observed_at=observed_at,
            content_hash="",
            subtotal_minor=self._amount("subtotal", wire.subtotal),
            tax_minor=self._amount("tax", wire.tax),
            refunded_minor=self._refunded(row),
            completed=wire.complete,
            cancelled=bool(wire.void or wire.cancel),
            paid=wire.paid_in_full,
            status=wire.status and wire.status[:LONGEST_WORD],
            location=wire.id_location and wire.id_location[:LONGEST_WORD],
            walk_in=self._walk_in(wire.name_first, wire.name_last),
        )
        return msgspec.structs.replace(fact, content_hash=content_hash(fact))

    def _customer_fact(
        self, wire: WireCustomer, row: dict[str, object], observed_at: Millis, forgotten: bool
    ) -> CustomerObserved:
        contact = wire.phone or wire.phone2 or wire.email or wire.alpine_user_code
        created = wire.date_created or wire.customer_since
        identities = self.identities.of(wire.alpine_user_code, [wire.phone, wire.phone2], wire.email)
        fact = CustomerObserved(
            observed_at=observed_at,
            content_hash="",
            identities=() if forgotten else identities,
            equity=self._equity(row),
            walk_in=not contact and self._walk_in(wire.name_first, wire.name_last),
            home_location=wire.id_location and wire.id_location[:LONGEST_WORD],
            created_at=utc_millis(created, self.zone) if created else None,
        )
        return msgspec.structs.replace(fact, content_hash=content_hash(fact))

    def _person(self, wire: WireCustomer, observed_at: Millis) -> Person:
        name = " ".join(part for part in (wire.name_first, wire.name_last) if part)
        phones = (self.identities.e164(phone) or phone[:LONGEST_WORD] for phone in (wire.phone, wire.phone2) if phone)
        email = wire.email and wire.email[:LONGEST_EMAIL]
        return Person(name[:LONGEST_NAME], tuple(dict.fromkeys(phones)), email, observed_at)

    def _required(self, field: str, value: object) -> Minor:
        amount = self._amount(field, value)
        if amount is None:
            raise BadRecord(f"{field} is missing")
        return amount

    def _amount(self, field: str, value: object) -> Minor | None:
        if value is None or value == "":
            return None
        try:
            return minor_units(value, digits_of(self.currency))
        except BadRecord as error:
            raise BadRecord(f"{field}: {error}") from error

    def _refunded(self, row: dict[str, object]) -> int:
        """What was given back, as a positive amount whichever sign the vendor gives it."""
        amounts = (self._amount(field, row.get(field)) for field in self.refunded_fields)
        return abs(next((amount for amount in amounts if amount is not None), 0))

    def _walk_in(self, first: str | None, last: str | None) -> bool:
        """By name alone: somebody with that first name and a last name is a person."""
        return not last and first is not None and first.casefold() in (name.casefold() for name in self.walk_in_names)

    def _equity(self, row: dict[str, object]) -> bool | None:
        """None when no field is configured or the row has no such field: unknown is not no."""
        if self.equity.field is None or self.equity.field not in row:
            return None
        values = {value.casefold() for value in self.equity.values}
        return any(word in values for word in _words(row[self.equity.field]))


def content_hash(fact: OrderObserved | CustomerObserved) -> str:
    """64 bits over everything but the time of observation: the same content has the same hash."""
    content = msgspec.structs.replace(fact, observed_at=0, content_hash="")
    return hashlib.blake2b(_ENCODER.encode(content), digest_size=8).hexdigest()


def _row(item: Item) -> dict[str, object]:
    if not isinstance(item.document, dict):
        raise BadRecord(f"an element of the list is a {type(item.document).__name__}, not an object")
    return item.document


def _customer(wire: str | None) -> CustomerId:
    if wire is None:
        raise BadRecord("id_customer is missing")
    return customer_id(wire)


def _order(wire: str | None) -> OrderId:
    if wire is None:
        raise BadRecord("id_order is missing")
    return order_id(wire)


def _words(value: object) -> list[str]:
    """The value of a field as words: of a list, of each element; of an object, of its name."""
    if isinstance(value, list):
        return [word for element in value for word in _words(element)]
    if isinstance(value, dict):
        return _words(value.get("name"))
    return [] if value is None else [str(value).strip().casefold()]


def _fields(item: Item) -> dict[str, object]:
    """Of a row that could not be read, as far as it is one."""
    return item.document if isinstance(item.document, dict) else {}


def _readable(value: object) -> str | None:
    try:
        wire = wire_id(value)
        return None if wire is None else customer_id(wire)
    except (ValueError, BadRecord):
        return None


def _reason(error: BadRecord | ValidationError) -> str:
    """Why, without the values of a row: they may be personal."""
    if isinstance(error, ValidationError):
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
    return str(error)
