"""What can go wrong at a vendor, settable at run time, decided by seed and request counter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from random import Random

import msgspec


class Failure(StrEnum):
    """`rate_limited_bare` is a 429 without Retry-After; `refused` a 200 with `success: false`."""

    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    RATE_LIMITED_BARE = "rate_limited_bare"
    SLOW = "slow"
    DROPPED = "dropped"
    TRUNCATED = "truncated"
    HTML = "html"
    UNAUTHORIZED = "unauthorized"
    REFUSED = "refused"


HOSTILE_RATES: dict[Failure, float] = {
    Failure.SERVER_ERROR: 0.03,
    Failure.RATE_LIMITED: 0.02,
    Failure.RATE_LIMITED_BARE: 0.01,
    Failure.SLOW: 0.02,
    Failure.DROPPED: 0.02,
    Failure.TRUNCATED: 0.02,
    Failure.HTML: 0.01,
    Failure.UNAUTHORIZED: 0.01,
    Failure.REFUSED: 0.02,
}


class Conditions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a server behaves now; `POST /sandbox/control` replaces the fields that it names.

    `rates`: probability per request of each failure. `outage`: every call answers 503. `limits`: real rate
    limits as (calls, seconds), answered with 429. `clock_skew_ms`: how far the vendor's clock is ahead.
    `token_seconds`: life of a new token (Alleaves).
    """

    latency_ms: int = 0
    rates: dict[Failure, float] = {}
    outage: bool = False
    slow_ms: int = 1_500
    retry_after_seconds: int = 1
    clock_skew_ms: int = 0
    limits: list[tuple[int, float]] = []
    token_seconds: int = 86_400

    def changed(self, fields: Mapping[str, object]) -> Conditions:
        """A copy with these fields. Raises msgspec.ValidationError when one is unknown or of a wrong type."""
        return msgspec.convert({**msgspec.to_builtins(self), **fields}, Conditions)


class Injector:
    """Decides the fate of each request. The same call never fails more than twice in a row, so retries pay."""

    _IN_A_ROW = 2
    _BETWEEN_UNAUTHORIZED = 25

    def __init__(self, seed: int, name: str, possible: frozenset[Failure]) -> None:
        self._prefix = f"failure:{seed}:{name}:"
        self._possible = possible
        self._count = 0
        self._in_a_row: Counter[bytes] = Counter()
        self._unauthorized_at = -self._BETWEEN_UNAUTHORIZED

    def next(self, rates: Mapping[Failure, float], call: bytes) -> Failure | None:
        """`call` identifies what is asked for: method, address and body."""
        self._count += 1
        failure = self._draw(rates)
        if failure is None or self._in_a_row[call] >= self._IN_A_ROW:
            self._in_a_row.pop(call, None)
            return None
        if failure is Failure.UNAUTHORIZED:
            if self._count - self._unauthorized_at < self._BETWEEN_UNAUTHORIZED:
                return None
            self._unauthorized_at = self._count
        self._in_a_row[call] += failure is not Failure.SLOW
        return failure

    def _draw(self, rates: Mapping[Failure, float]) -> Failure | None:
        if not rates:
            return None
        roll = Random(f"{self._prefix}{self._count}").random()
        for failure in Failure:
            roll -= rates.get(failure, 0.0)
            if roll < 0:
                return failure if failure in self._possible else None
        return None
