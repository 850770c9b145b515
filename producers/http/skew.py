"""How far our clock is from the vendor's."""

from __future__ import annotations

from producers.http.answers import http_date_seconds
from stream.contracts.names import Millis

DATE_RESOLUTION_SECONDS = 1.0
LEAP_SECONDS = 60.0
"""A correction by more has to be said twice in a row: one answer, from a cache or a machine with a clock of its own,
must not date what it says into another year. What is newest would then stay so until that year."""


class Skew:
    """Seconds to add to our clock, from the vendor's HTTP `Date`.

    `Date` is cut to the second and was written at some moment of the request, so one answer only bounds the
    offset. The correction starts at 0 and moves, by as little as possible, only when an answer contradicts it:
    so it stands still for clocks that agree and does not jitter with latency.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._leap: float | None = None

    def observe(self, date_header: str, started: float, ended: float) -> None:
        """Take the `Date` of a request that took from `started` to `ended` by our clock."""
        vendor = http_date_seconds(date_header)
        if vendor is None:
            return
        at_least, at_most = vendor - ended, vendor + DATE_RESOLUTION_SECONDS - started
        seconds = min(max(self.seconds, at_least), at_most)
        if abs(seconds - self.seconds) > LEAP_SECONDS and not self._said_before(seconds):
            self._leap = seconds
        else:
            self.seconds, self._leap = seconds, None

    def corrected(self, started: float) -> Millis:
        """`started` by the vendor's clock, in UTC milliseconds."""
        return Millis(round((started + self.seconds) * 1000))

    def _said_before(self, seconds: float) -> bool:
        return self._leap is not None and abs(seconds - self._leap) <= LEAP_SECONDS
