"""Alerts, dead letters, deliveries."""

from __future__ import annotations

from typing_extensions import TypedDict

from stream.sinks.views.shown import DeadLetter, SentDelivery, ShownAlert
from stream.web.shapes.times import time_shown


class AlertShown(TypedDict):
    """An alert as it was told. `id` is the CloudEvent's: the same whenever the same alert comes again."""

    id: str
    at: str | None
    kind: str
    orgId: str
    customerId: str | None
    caseId: str | None
    points: int | None
    pointsFromAlpine: int | None
    discrepancy: int | None
    reason: str | None
    runId: str | None


class LetterShown(TypedDict):
    """A dead letter, redacted. `place`: where it is in its topic. `source`: the record that was given up; null where it
    came from a vendor and never was one. What a vendor sends again is one dead letter: it came `times` times, first at
    `firstAt`, last at `at`. `remedy`: how it can be tried again (`read_again`, `taken_in_again`; null: it cannot).
    `status`: `new`, `retry` (new again, should it come again) or `discard`."""

    place: str
    at: str | None
    orgId: str
    stage: str
    reason: str
    exception: str
    source: str | None
    key: str
    excerpt: str
    firstAt: str | None
    times: int
    remedy: str | None
    status: str
    decidedAt: str | None
    decidedBy: str | None


class DeliveryShown(TypedDict):
    """A message to a channel, and what became of it."""

    message: str
    kind: str
    channel: str
    outcome: str
    title: str
    alerts: list[str]
    runId: str | None
    attempts: int
    firstAt: str | None
    lastAt: str | None
    nextAt: str | None
    status: int | None
    reason: str | None


def alert_shown(shown: ShownAlert) -> AlertShown:
    """An alert."""
    alert = shown.alert
    return {
        "id": shown.id,
        "at": time_shown(shown.at),
        "kind": alert.kind.value,
        "orgId": alert.org,
        "customerId": alert.customer,
        "caseId": alert.case,
        "points": alert.ours,
        "pointsFromAlpine": alert.provider,
        "discrepancy": alert.difference,
        "reason": alert.reason,
        "runId": alert.run,
    }


def letter_shown(letter: DeadLetter) -> LetterShown:
    """A dead letter."""
    source = f"{letter.source_topic} {letter.source_partition}:{letter.source_offset}"
    return {
        "place": f"{letter.partition}:{letter.offset}",
        "at": time_shown(letter.at),
        "orgId": letter.org,
        "stage": letter.stage,
        "reason": letter.reason,
        "exception": letter.exception,
        "source": source if letter.source_topic else None,
        "key": letter.key,
        "excerpt": letter.excerpt,
        "firstAt": time_shown(letter.first_at),
        "times": letter.times,
        "remedy": letter.remedy,
        "status": letter.decision or "new",
        "decidedAt": time_shown(letter.decided_at),
        "decidedBy": letter.decided_by,
    }


def delivery_shown(sent: SentDelivery) -> DeliveryShown:
    """A message to a channel."""
    delivery = sent.delivery
    return {
        "message": delivery.message,
        "kind": delivery.kind.value,
        "channel": delivery.channel,
        "outcome": delivery.outcome.value,
        "title": delivery.title,
        "alerts": list(delivery.alerts),
        "runId": delivery.run,
        "attempts": delivery.attempts,
        "firstAt": time_shown(delivery.first_at),
        "lastAt": time_shown(delivery.last_at),
        "nextAt": time_shown(delivery.next_at),
        "status": delivery.status,
        "reason": delivery.reason,
    }
