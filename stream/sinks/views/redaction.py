"""What may be shown of a dead letter: its shape and what helps to mend it, without anybody's personal data."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

MAX_EXCERPT_CHARACTERS = 4000
HIDDEN = "…"

SHOWN = frozenset(
    {
        "amount", "amount_minor", "amount_refunded", "at", "cancel", "cause", "code", "complete", "contactID",
        "currency", "customer", "date_created", "date_updated", "discount", "epoch", "id", "id_customer", "id_item",
        "id_location", "id_order", "limit", "loyaltyPoints", "loyalty_points", "number", "observed_at", "order",
        "org", "packed", "page", "paid_in_full", "points", "price", "quantity", "refund_amount", "refunded_amount",
        "run", "settings_version", "size", "source", "start", "status", "status_list", "subtotal", "success", "tax",
        "total", "total_minor", "total_refunded", "type", "v", "verdict", "verified", "version", "void",
    }
)  # fmt: skip
"""Keys whose plain values may be shown. A list of what is harmless fails safe: new fields are hidden."""

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)*")
_PHONE = re.compile(r"\+?\(?\d[\d\s().-]{7,}\d")
_decode = msgspec.json.decode
_encode = msgspec.json.Encoder().encode


def excerpt_of(value: bytes | None) -> str:
    """The JSON of a dead letter with every value hidden whose key is not `SHOWN`; other bytes: only how many."""
    if value is None:
        return "null"
    try:
        content = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return f"{len(value)} bytes that are not JSON"
    try:
        return _encode(_shown(content, plain=False)).decode()[:MAX_EXCERPT_CHARACTERS]
    except RecursionError:
        return f"{len(value)} bytes of deeply nested JSON"


def plain_reason(text: str) -> str:
    """A reason without e-mail addresses and phone numbers."""
    return _PHONE.sub(HIDDEN, _EMAIL.sub(HIDDEN, text))


def _shown(content: object, *, plain: bool) -> object:
    if isinstance(content, Mapping):
        return {plain_reason(str(key)): _shown(value, plain=str(key) in SHOWN) for key, value in content.items()}
    if isinstance(content, list):
        return [_shown(value, plain=plain) for value in content]
    if content is None or isinstance(content, bool):
        return content
    if not plain:
        return HIDDEN
    return plain_reason(content) if isinstance(content, str) and not _is_time(content) else content


def _is_time(text: str) -> bool:
    return re.match(r"\d{4}-\d\d-\d\d", text) is not None
