"""Whether a role lives and whether it is ready, as `/healthz` and `/readyz` say it.

*Live* means that the role's loop still turns: it beats. A long recovery beats and is live. *Ready* means that
everything the role needs is there. Only the first is a reason to restart a process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus


class Role(StrEnum):
    """What a process is there for."""

    POLL = "poll"
    WORKER = "worker"
    SINK_FIRESTORE = "sink-firestore"
    SINK_NOTIFY = "sink-notify"
    WEB = "web"


class Condition(StrEnum):
    """What a role may need before it is ready."""

    KAFKA = "kafka"
    SETTINGS = "settings"
    POINT_OF_SALE = "point of sale"
    ASSIGNED = "assigned"
    RECOVERED = "recovered"
    FIRESTORE = "firestore"
    CAUGHT_UP = "caught up"


NEEDS: dict[Role, tuple[Condition, ...]] = {
    Role.POLL: (Condition.KAFKA, Condition.SETTINGS, Condition.POINT_OF_SALE),
    Role.WORKER: (Condition.KAFKA, Condition.ASSIGNED, Condition.RECOVERED),
    Role.SINK_FIRESTORE: (Condition.KAFKA, Condition.FIRESTORE),
    Role.SINK_NOTIFY: (Condition.KAFKA, Condition.CAUGHT_UP),
    Role.WEB: (Condition.KAFKA, Condition.CAUGHT_UP),
}


@dataclass(frozen=True)
class Answer:
    """An answer to a probe: 200 or 503, and why, condition by condition."""

    role: Role
    ok: bool
    reasons: dict[str, str]

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status."""
        return HTTPStatus.OK if self.ok else HTTPStatus.SERVICE_UNAVAILABLE

    def body(self) -> dict[str, object]:
        """The answer as JSON."""
        return {"role": self.role.value, "ok": self.ok, "reasons": self.reasons}


class Health:
    """What a role has last said of itself. `clock` counts seconds and never goes back (`time.monotonic`).

    `stuck_after_seconds`: without a beat for so long the role is not live.
    """

    def __init__(self, role: Role, clock: Callable[[], float], stuck_after_seconds: float = 60) -> None:
        self.role = role
        self._clock = clock
        self._stuck_after = stuck_after_seconds
        self._beat = clock()
        self._said: dict[Condition, tuple[bool, str]] = dict.fromkeys(NEEDS[role], (False, "not yet"))

    def beat(self) -> None:
        """The role's loop has turned once more."""
        self._beat = self._clock()

    def say(self, condition: Condition, ok: bool, detail: str = "") -> None:
        """A condition holds, or does not. Raises KeyError for one that this role does not need."""
        if condition not in self._said:
            raise KeyError(f"{self.role} does not need {condition}")
        self._said[condition] = (ok, detail or ("ok" if ok else "not ok"))

    def live(self) -> Answer:
        """For `/healthz`."""
        silent = self._clock() - self._beat
        return Answer(self.role, silent <= self._stuck_after, {"last beat": f"{silent:.0f} s ago"})

    def ready(self) -> Answer:
        """For `/readyz`: live, and every condition holds."""
        reasons = {condition.value: detail for condition, (_, detail) in self._said.items()}
        live = self.live()
        return Answer(self.role, live.ok and all(ok for ok, _ in self._said.values()), reasons | live.reasons)
