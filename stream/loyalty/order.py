"""An order line, and what of an order counts."""

from __future__ import annotations

import msgspec

from stream.contracts.facts import OrderObserved
from stream.contracts.settings import Basis, OrderStatus
from stream.loyalty.rules import Rules

REMOVED = ""
"""`OrderLine.gone` of an order that the point of sale no longer has; one that moved carries its new customer."""


class OrderLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is known of one order of one account (the order's id is in the state's key).

    Everything that counting needs is here, so that other settings can be applied without reading orders again.
    `minor`: what it counts now, 0 whenever `why_not` says why not. `previous_minor`, `changed_at`: what
    it counted before, and until when (UTC ms); an order that never changed has `changed_at` = `created_at`
    and counted 0 before it was created. `gone`: None for a live line, else `REMOVED` or the customer it moved to: a
    marker, which keeps a late observation from reviving the order.
    """

    observed_at: int
    content_hash: str
    minor: int
    why_not: str | None
    previous_minor: int
    changed_at: int
    created_at: int
    total_minor: int
    currency: str
    subtotal_minor: int | None = None
    tax_minor: int | None = None
    refunded_minor: int = 0
    completed: bool | None = None
    cancelled: bool = False
    paid: bool | None = None
    status: str | None = None
    walk_in: bool = False
    gone: str | None = None


def counted(order: OrderObserved | OrderLine, rules: Rules) -> tuple[int, str | None]:
    """Minor units that the order counts, and why it counts nothing (None: it counts).

    Why not: `cancelled`, `pending`, `unpaid`, `walk_in`, `other_currency`, `no_tax`, `no_subtotal`.
    A refund takes any of four forms: a negative total counts negatively; a refunded amount is subtracted from the
    basis, plainly, even below 0; a lowered total is simply the new total; a cancelled order counts nothing.
    """
    why_not = _unfit(order, rules)
    if why_not is not None:
        return 0, why_not
    if rules.basis is Basis.TOTAL:
        return order.total_minor - order.refunded_minor, None
    return amount_under(order, rules.basis)


def amount_under(order: OrderObserved | OrderLine, basis: Basis) -> tuple[int, str | None]:
    """Minor units of an order that is fit to count, and why it counts nothing under that basis.

    A tax that the vendor did not say is unknown, not 0: such an order counts nothing without it and says so. A missing
    subtotal is total − tax where the tax is known.
    """
    if basis is Basis.TOTAL:
        return order.total_minor - order.refunded_minor, None
    if basis is Basis.SUBTOTAL and order.subtotal_minor is not None:
        return order.subtotal_minor - order.refunded_minor, None
    if order.tax_minor is None:
        return 0, "no_subtotal" if basis is Basis.SUBTOTAL else "no_tax"
    return order.total_minor - order.tax_minor - order.refunded_minor, None


def _unfit(order: OrderObserved | OrderLine, rules: Rules) -> str | None:
    """Why the order cannot count at all. Flags are believed first, the status only where they are silent."""
    if order.cancelled:
        return "cancelled"
    if order.completed is not True:
        status = rules.statuses.get(order.status.casefold()) if order.status else None
        if status is OrderStatus.CANCELLED:
            return "cancelled"
        if order.completed is False or status is not OrderStatus.COMPLETED:
            return "pending"
    if order.paid is False:
        return "unpaid"
    if order.walk_in:
        return "walk_in"
    return None if order.currency == rules.currency else "other_currency"
