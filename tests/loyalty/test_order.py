from __future__ import annotations

import pytest

from stream.contracts.facts import OrderObserved
from stream.contracts.settings import Basis, OrderStatus
from stream.loyalty.order import counted
from tests.loyalty.builders import order, rules

UNSAID: dict[str, object] = {"completed": None, "paid": None}


@pytest.mark.parametrize(
    ("observed", "minor", "why_not", "because"),
    [
        (order(3955), 3955, None, "completed and paid"),
        (order(3955, paid=None), 3955, None, "the vendor did not say whether it was paid"),
        (order(3955, paid=False), 0, "unpaid", "unpaid earns nothing"),
        (order(3955, cancelled=True), 0, "cancelled", "refund: the order is cancelled"),
        (order(3955, completed=False), 0, "pending", "not completed"),
        (order(3955, completed=False, status="completed"), 0, "pending", "the flag is believed before the status"),
        (order(3955, completed=False, status="VOID"), 0, "cancelled", "the status says why it will not complete"),
        (order(3955, status="no such status"), 3955, None, "the flag is believed before the status"),
        (order(3955, **UNSAID, status="Complete"), 3955, None, "without a flag the status counts, in any case"),
        (order(3955, **UNSAID, status="Completed", walk_in=True), 0, "walk_in", "a walk-in earns nothing"),
        (order(3955, **UNSAID, status="refunded"), 0, "cancelled", "a status that cancels"),
        (order(3955, **UNSAID, status="cooking"), 0, "pending", "an unknown status waits"),
        (order(3955, **UNSAID), 0, "pending", "nothing said at all"),
        (order(3955, completed=None, paid=False, status="complete"), 0, "unpaid", "complete by status, but unpaid"),
        (order(3955, currency="CAD"), 0, "other_currency", "cents of another currency do not add up"),
        (order(-1500), -1500, None, "refund: an order of its own with a negative total"),
        (order(3955, refunded_minor=1000), 2955, None, "refund: a refunded amount"),
        (order(3955, refunded_minor=4000), -45, None, "refund: subtracted plainly, even below 0"),
        (order(2955), 2955, None, "refund: a lowered total is the total"),
    ],
)
def test_what_an_order_counts(observed: OrderObserved, minor: int, why_not: str | None, because: str) -> None:
    assert counted(observed, rules()) == (minor, why_not), because


@pytest.mark.parametrize(
    ("basis", "amounts", "minor", "why_not"),
    [
        (Basis.TOTAL, {"tax_minor": 355, "subtotal_minor": 3700}, 3955, None),
        (Basis.TOTAL_LESS_TAX, {"tax_minor": 355, "subtotal_minor": 3700}, 3600, None),
        (Basis.SUBTOTAL, {"tax_minor": 355, "subtotal_minor": 3700}, 3700, None),
        (Basis.SUBTOTAL, {"tax_minor": 355}, 3600, None),
        (Basis.SUBTOTAL, {"tax_minor": 355, "refunded_minor": 100}, 3500, None),
        (Basis.SUBTOTAL, {"subtotal_minor": 3700, "refunded_minor": 100}, 3600, None),
        (Basis.TOTAL_LESS_TAX, {"tax_minor": 355, "refunded_minor": 100}, 3500, None),
        (Basis.TOTAL_LESS_TAX, {"tax_minor": 0}, 3955, None),
        (Basis.TOTAL_LESS_TAX, {"subtotal_minor": 3700}, 0, "no_tax"),
        (Basis.SUBTOTAL, {}, 0, "no_subtotal"),
    ],
)
def test_the_basis_decides_which_amount_counts(
    basis: Basis, amounts: dict[str, int], minor: int, why_not: str | None
) -> None:
    assert counted(order(3955, **amounts), rules(basis=basis)) == (minor, why_not)


def test_the_settings_say_what_a_status_means() -> None:
    own = rules(statuses={"Picked Up": OrderStatus.COMPLETED})
    assert counted(order(100, **UNSAID, status="picked up"), own) == (100, None)
    assert counted(order(100, **UNSAID, status="complete"), own) == (0, "pending")
