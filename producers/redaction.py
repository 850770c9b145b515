"""Vendors' words and reasons, fit to be logged and published: without phone numbers and e-mail addresses."""

from __future__ import annotations

import re

_EMAIL = re.compile(r"[^\s@\"'<>]+@[^\s@\"'<>]+")
_PHONE = re.compile(r"\+?\(?\d(?:[\s().-]{0,2}\d){6,}")


def redacted(text: str) -> str:
    """`text` with every address and every run of seven or more digits, as in a phone number, blotted out."""
    return _PHONE.sub("…", _EMAIL.sub("…", text))
