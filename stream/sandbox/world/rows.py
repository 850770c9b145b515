"""The world as the vendors write it: rows of JSON.

Assumed, because no vendor documents it: `date_created` and `date_updated` are ISO 8601 in UTC with
milliseconds (`2026-01-30T20:21:58.003Z`); status words are `complete`, `cancelled`, `void`, `pending`, `unpaid`;
the refunded amount's field name is an option; `email` is on the provider's rows, and so is
`hidePointsInWallet` where it is true.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from stream.sandbox.world.model import Customer, Defect, Location, Member, Movement, Oddity, Order, OrderState, World
from stream.sandbox.world.people import mixed_case, written

Row = dict[str, object]

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_STATUS = {
    OrderState.COMPLETED: "complete",
    OrderState.CANCELLED: "cancelled",
    OrderState.VOID: "void",
    OrderState.PENDING: "pending",
    OrderState.UNPAID: "unpaid",
}
_PRODUCTS = ("Blue Dream 3.5g", "Gummies 10pk", "Pre-roll 1g", "Vape cartridge 0.5g", "Tincture 30ml", "CBD balm")
_CATEGORIES = ("flower", "edible", "pre-roll", "vape", "tincture", "topical")
_BROKEN_TOTALS: dict[Defect, object] = {
    Defect.NULL_TOTAL: None,
    Defect.TEXT_TOTAL: "abc",
    Defect.NAN_TOTAL: "NaN",
    Defect.BARE_NAN_TOTAL: msgspec.Raw(b"NaN"),
    Defect.INFINITE_TOTAL: "-Infinity",
    Defect.HUGE_EXPONENT: msgspec.Raw(b"1e400"),
    Defect.HUGE_EXPONENT_TEXT: "9E+999999999",
    Defect.OBJECT_TOTAL: {"amount": "12.00"},
    Defect.BOOLEAN_TOTAL: True,
}


def encode(value: object) -> bytes:
    """JSON; decimals are numbers, written out exactly."""
    return _ENCODER.encode(value)


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def money(minor: int, as_text: bool) -> str | int | Decimal:
    """Decimal dollars, as a string or as a JSON number without trailing zeros."""
    sign, (major, cents) = "-" if minor < 0 else "", divmod(abs(minor), 100)
    if as_text:
        return f"{sign}{major}.{cents:02d}"
    if cents == 0:
        return -major if sign else major
    return Decimal(f"{sign}{major}.{cents:02d}".rstrip("0"))


def order_row(world: World, order: Order) -> Row | None:
    """An order as `GET /order` lists it. None is what a row that is not an object looks like."""
    customer = world.customers.get(order.customer_id)
    text = order.order_id % 3 == 0
    row: Row = {
        "id_order": order.order_id,
        "id_customer": order.customer_id,
        "id_location": order.location_id,
        "name_first": customer.name_first if customer else "",
        "name_last": customer.name_last if customer else "",
        "patient_number": customer.patient_number if customer else None,
        "date_created": iso(order.created_ms),
        "total": money(order.total_minor, text),
        "subtotal": money(order.subtotal_minor, order.order_id % 5 == 0),
        "tax": money(order.tax_minor, order.order_id % 5 == 0),
        "discount": money(order.discount_minor, text),
        **_flags(order),
        "type": "delivery" if order.delivery else "retail",
        "items": _items(order),
        "loyalty": 0,
        "points_earned": None,
        "loyalties": [],
    }
    listing = world.options.listing
    if listing.date_updated:
        row["date_updated"] = iso(order.updated_ms)
    if order.refunded_minor:
        row[listing.refund_field] = money(order.refunded_minor, text)
    return _spoilt(row, order.defect) if order.defect else _made_odd(row, order.oddity)


def single_order_row(world: World, order: Order) -> Row | None:
    """An order as `GET /order/{id}` answers it: with more flags."""
    row = order_row(world, order)
    if row is not None:
        reason = "returned" if order.state is OrderState.VOID else None
        row |= {"status_list": [row["status"]], "verified": True, "packed": row["complete"], "void_reason": reason}
    return row


def customer_row(customer: Customer) -> Row:
    style = customer.customer_id
    row: Row = {
        "id_customer": customer.customer_id,
        "name_first": customer.name_first,
        "name_last": customer.name_last,
        "email": mixed_case(customer.email, style) if customer.email else (None, "")[style % 2],
        "phone": written(customer.phone, style) if customer.phone else ("", None)[style % 2],
        "phone2": written(customer.phone2, style + 3) if customer.phone2 else None,
        "date_of_birth": customer.born,
        "date_created": iso(customer.created_ms),
        "customer_since": iso(customer.created_ms)[:10],
        "alpine_user_code": customer.alpine_user_code,
        "loyalty_points": (0, None)[style % 2],
        "group": customer.group,
    }
    if customer.nameless:
        del row["id_customer"]
    return row


def location_row(location: Location) -> Row:
    return {
        "id_location": location.location_id,
        "reference": location.reference,
        "timezone": location.timezone,
        "local_tax_percentage": Decimal(location.tax_ppm) / 10_000,
        "is_adult_use": location.adult_use,
        "is_medical_use": location.medical_use,
    }


def member_row(member: Member) -> Row:
    """A row of the provider's bulk list. Phones are ten bare digits or `+1…`."""
    style = int(member.contact_id)
    inserted = member.inserted_ms // 1000
    phone = member.phone and ("+1" if style % 2 else "") + member.phone
    row: Row = {
        "contactID": member.contact_id,
        "firstName": member.name_first,
        "lastName": member.name_last,
        "mobilePhone": phone or "",
        "homePhone": "",
        "email": member.email or "",
        "favoriteStoreID": str(1000 + style % 3),
        "inserted": inserted,
        "optinTime": inserted,
        "optoutTime": 0,
        "loyaltyPoints": shown_points(member),
    }
    if member.hidden:
        row["hidePointsInWallet"] = True
    if member.broken:
        row |= {"contactID": None, "mobilePhone": None, "email": None, "loyaltyPoints": {"value": 1}}
    return row


def movement_row(member: Member, movement: Movement, *, hostile: bool = False) -> Row:
    """A movement as the provider lists it. Where it is unkind: other forms of the same, ids now and then, and rows
    that are nothing."""
    row: Row = {
        "contactID": member.contact_id,
        "type": movement.kind,
        "points": movement.points,
        "note": movement.note,
        "timestamp": movement.at_ms // 1000,
    }
    style = int(member.contact_id) % 3 if hostile else 0
    if style == 1:
        row |= {"points": str(movement.points), "timestamp": iso(movement.at_ms), "type": movement.kind.upper()}
    elif style == 2:
        number = next(place for place, each in enumerate(member.movements) if each is movement)
        row |= {"timestamp": movement.at_ms, "id": f"{member.contact_id}-{number}"}
        del row["type"]
    return row | {"points": "n/a"} if movement.broken else row


def shown_points(member: Member) -> object:
    """Hidden points read 0; now and then a balance is a string."""
    if member.unreadable:
        return "n/a"
    points = 0 if member.hidden else member.points
    return str(points) if int(member.contact_id) % 11 == 0 else points


def _flags(order: Order) -> Row:
    complete = order.was_complete or order.state is OrderState.COMPLETED
    return {
        "status": _STATUS[order.state],
        "complete": complete,
        "cancel": order.state is OrderState.CANCELLED,
        "void": order.state is OrderState.VOID,
        "paid_in_full": complete,
    }


def _items(order: Order) -> list[Row]:
    count = 1 + order.order_id % 3
    share, rest = divmod(order.subtotal_minor, count)
    prices = [share + rest] + [share] * (count - 1)
    return [
        {
            "item": _PRODUCTS[(order.order_id + index) % len(_PRODUCTS)],
            "quantity": 1,
            "price": money(price, index % 2 == 1),
            "category": _CATEGORIES[(order.order_id + index) % len(_CATEGORIES)],
        }
        for index, price in enumerate(prices)
    ]


def _spoilt(row: Row, defect: Defect) -> Row | None:
    match defect:
        case Defect.NOT_AN_OBJECT:
            return None
        case Defect.NO_ID:
            del row["id_order"]
        case Defect.NO_CUSTOMER:
            row["id_customer"] = None
        case Defect.LIST_CUSTOMER:
            row["id_customer"] = [row["id_customer"]]
        case Defect.NO_TOTAL:
            del row["total"]
        case _:
            row["total"] = _BROKEN_TOTALS[defect]
    return row


def _made_odd(row: Row, oddity: Oddity | None) -> Row:
    match oddity:
        case Oddity.NULL_ITEMS:
            row["items"] = None
        case Oddity.TEXT_IDS:
            row["id_order"], row["id_customer"] = str(row["id_order"]), str(row["id_customer"])
        case Oddity.STRANGE_STATUS_COMPLETE:
            row["status"] = "Zürückgelegt ✓"
        case Oddity.STRANGE_STATUS_OPEN:
            row["status"] = "zzz_in_transit"
        case Oddity.UNKNOWN_FIELDS:
            row |= {"__v": 3, "x": {"deep": [[[{}]]]}}
        case Oddity.COMPLETE_BUT_UNPAID:
            row["complete"] = True
    return row
