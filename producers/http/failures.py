"""The vendor errors that only HTTP can tell apart; all belong to the tree in `stream.errors`."""

from __future__ import annotations

from stream.errors import Refused, Unavailable, Unreadable


class Open(Unavailable):
    """The breaker is open: the vendor failed several times in a row and is left alone; nothing was sent."""


class Throttled(Unavailable):
    """429: too many requests. `retry_after` where the vendor said it."""


class Rejected(Refused):
    """The vendor rejects this very request, not us: what was asked with or for (400, 422 and the like)."""


class NotFound(Rejected):
    """The vendor has no such thing (404)."""


class UnreadableAnswer(Unreadable):
    """The answer is not JSON, or was cut off, however often it was asked for. `body`: its bytes."""

    def __init__(self, message: str, *, body: bytes) -> None:
        super().__init__(message)
        self.body = body
