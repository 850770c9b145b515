"""Count what a vendor was asked."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Traffic:
    """Calls counted since the last reset. Peaks are per sliding window."""

    calls: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    in_flight_peak: int = 0
    over_limit: int = 0
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=100_000))

    def arrived(self, path: str, at: float) -> None:
        self.calls[path] += 1
        self.in_flight += 1
        self.in_flight_peak = max(self.in_flight_peak, self.in_flight)
        self._times.append(at)

    @property
    def first_at(self) -> float | None:
        """When the first call arrived; None before it."""
        return self._times[0] if self._times else None

    def within(self, seconds: float, until: float) -> int:
        """How many calls arrived in the last `seconds`."""
        count = 0
        for at in reversed(self._times):
            if until - at >= seconds:
                break
            count += 1
        return count

    def peak(self, seconds: float) -> int:
        """The most calls in any window of `seconds`."""
        window: deque[float] = deque()
        most = 0
        for at in self._times:
            window.append(at)
            while at - window[0] >= seconds:
                window.popleft()
            most = max(most, len(window))
        return most

    def as_dict(self) -> dict[str, object]:
        return {
            "total": self.calls.total(),
            "calls": dict(self.calls),
            "statuses": dict(self.statuses),
            "failures": dict(self.failures),
            "in_flight_peak": self.in_flight_peak,
            "peak_per_second": self.peak(1),
            "peak_per_minute": self.peak(60),
            "over_limit": self.over_limit,
        }

    def reset(self) -> None:
        for counter in (self.calls, self.statuses, self.failures):
            counter.clear()
        self._times.clear()
        self.in_flight_peak = self.in_flight
        self.over_limit = 0
