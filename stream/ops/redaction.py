"""What a log must never hold, taken out: secrets, telephone numbers, e-mail addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable

REDACTED = "[redacted]"

_PRIVATE_KEY = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|api_?key|authorization|(^|_)pin$|credential|phone|mobile|e_?mail|"
    r"(first|last|full)_?name|birth",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
# With a plus, or grouped as people write them: bare digits are ids, offsets and times.
_PHONE = re.compile(r"\+\d[\d ().-]{6,}\d|(?<![\w-])(\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])")
_BEARER = re.compile(r"\b(Bearer|Basic) +[\w.~+/=-]{8,}")


class Redaction:
    """Takes private data out of a log entry. `secrets`: values that must not appear, wherever they stand."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # Short ones (a pin) would cut up numbers and words; their keys give them away instead.
        known = sorted({secret for secret in secrets if len(secret) >= 6}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, known))) if known else None

    def entry(self, fields: dict[str, object]) -> dict[str, object]:
        """The entry with private values replaced, nested ones too."""
        return {
            key: REDACTED if _PRIVATE_KEY.search(key) and value is not None else self._value(value)
            for key, value in fields.items()
        }

    def text(self, text: str) -> str:
        """The text with private parts replaced."""
        if self._secrets is not None:
            text = self._secrets.sub(REDACTED, text)
        return _PHONE.sub(REDACTED, _EMAIL.sub(REDACTED, _BEARER.sub(rf"\1 {REDACTED}", text)))

    def _value(self, value: object) -> object:
        match value:
            case str():
                return self.text(value)
            case bytes():
                return f"<{len(value)} bytes>"
            case dict():
                return self.entry({str(key): item for key, item in value.items()})
            case list() | tuple() | set() | frozenset():
                return [self._value(item) for item in value]
            case None | bool() | int() | float():
                return value
            case _:
                return self.text(str(value))
