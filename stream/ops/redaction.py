"""What a log must never hold, taken out: secrets, telephone numbers, e-mail addresses.

The patterns are here for everybody who has to take them out of something. Of telephone numbers there are two: a log
has offsets and times, so that only what is written as a number is one; what a vendor says has none of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

REDACTED = "[redacted]"

_PRIVATE_KEY = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|api_?key|authorization|(^|_)pin$|credential|phone|mobile|e_?mail|"
    r"(first|last|full)_?name|birth",
    re.IGNORECASE,
)
EMAIL = re.compile(r"[^\s@\"'<>(),;:]+@[^\s@\"'<>(),;:]+")
"""Anything around an @: an address that is not quite one is somebody's, too."""
ANY_PHONE = re.compile(r"\+?\(?\d(?:[\s().-]{0,2}\d){6,}")
"""Seven digits or more, however they are grouped."""
# With a plus, or grouped as people write them: bare digits are ids, offsets and times.
WRITTEN_PHONE = re.compile(r"\+\d[\d ().-]{6,}\d|(?<![\w-])(\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])")
_BEARER = re.compile(r"\b(Bearer|Basic) +[\w.~+/=-]{8,}")


class Redaction:
    """Takes private data out of a log entry. `secrets`: values that must not appear, wherever they stand."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: frozenset[str] = frozenset()
        self._secrets: re.Pattern[str] | None = None
        self.hide(secrets)

    def hide(self, secrets: Iterable[str]) -> None:
        """These must not appear either: secrets that became known later."""
        # Short ones (a pin) would cut up numbers and words; their keys give them away instead.
        self._known |= {secret for secret in secrets if len(secret) >= 6}
        if self._known:
            longest_first = sorted(self._known, key=len, reverse=True)
            self._secrets = re.compile("|".join(map(re.escape, longest_first)))

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
        return WRITTEN_PHONE.sub(REDACTED, EMAIL.sub(REDACTED, _BEARER.sub(rf"\1 {REDACTED}", text)))

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
