"""Vendors' words and reasons, fit to be logged and published: without phone numbers and e-mail addresses."""

from __future__ import annotations

from stream.ops.redaction import ANY_PHONE, EMAIL


def redacted(text: str) -> str:
    """`text` with every address and every run of seven or more digits, as in a phone number, blotted out."""
    return ANY_PHONE.sub("…", EMAIL.sub("…", text))
