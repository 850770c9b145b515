"""What Alleaves sends, read tolerantly: more fields than these are passed over, types vary within reason.

Amounts stay as they came (text, int or Decimal): `stream.loyalty.money` reads them. Times become UTC milliseconds
only in `translate`, because a time without an offset needs a zone.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

WireId = str
"""An id, sent as a number or as text."""

_TRUE = frozenset({"true", "yes", "y", "t", "1"})
_FALSE = frozenset({"false", "no", "n", "f", "0"})


def wire_id(value: object) -> WireId | None:
    """An id as text; None when there is none. Raises ValueError for what cannot be one."""
    if value is None or value == "":
        return None
    if isinstance(value, Decimal) and value.is_finite() and abs(value) < 10**18 and value == int(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"an id is a number or text, not {type(value).__name__}")
    return str(value).strip() or None


def wire_flag(value: object) -> bool | None:
    """A boolean sent as true, 1 or text; None when it is not said. Raises ValueError for anything else."""
    if value is None or isinstance(value, bool):
        return value
    text = str(value).strip().casefold()
    if text in ("", "null"):
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError("a flag is true or false")


def wire_text(value: object) -> str | None:
    """Text that can be written as UTF-8; numbers as text; blank, and what is no text at all, is None."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    return value.encode("utf-8", "replace").decode().strip() or None


Id = Annotated[str | None, BeforeValidator(wire_id)]
Flag = Annotated[bool | None, BeforeValidator(wire_flag)]
Text = Annotated[str | None, BeforeValidator(wire_text)]


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class WireOrder(Wire):
    """An element of `GET /order`. `total` is what the customer paid, with tax, as far as the evidence goes."""

    id_order: Id = None
    id_customer: Id = None
    id_location: Id = None
    name_first: Text = None
    name_last: Text = None
    date_created: object = None
    total: object = None
    subtotal: object = None
    tax: object = None
    complete: Flag = None
    cancel: Flag = None
    void: Flag = None
    paid_in_full: Flag = None
    status: Text = None


class WireCustomer(Wire):
    """An element of `POST /customer/search`."""

    id_customer: Id = None
    name_first: Text = None
    name_last: Text = None
    email: Text = None
    phone: Text = None
    phone2: Text = None
    alpine_user_code: Text = None
    id_location: Id = None
    date_created: object = None
    customer_since: object = None


class WireLocation(Wire):
    """An element of `GET /location`."""

    id_location: Id = None
    reference: Text = None
    timezone: Text = None
