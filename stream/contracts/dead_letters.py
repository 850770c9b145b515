"""`dead-letters`: the original bytes under the original key; headers say where from and why.

Header names follow KIP-1034. The bytes may hold personal data: the topic is restricted and what is shown
is redacted.
"""

from __future__ import annotations

from enum import StrEnum

TOPIC = "__dlq.errors.topic"
PARTITION = "__dlq.errors.partition"
OFFSET = "__dlq.errors.offset"
REASON = "__dlq.errors.exception.message"
EXCEPTION = "__dlq.errors.exception.fqcn"
STAGE = "__dlq.errors.stage"
ORG = "loyalty.org"
AT = "loyalty.at"

AGENTS = frozenset({"accounts", "contacts", "runs"})
"""Stages that are agents: what one gave up was a record of its own input log."""


class Remedy(StrEnum):
    """How what became a dead letter is tried again: `read_again` by a run, from the vendor that sent it;
    `taken_in_again`, the record as it was, by the agent that gave it up."""

    READ_AGAIN = "read_again"
    TAKEN_IN_AGAIN = "taken_in_again"


def remedy(stage: str, topic: str) -> Remedy | None:
    """How a dead letter of this stage and source topic can be tried again.

    None: it cannot, since a sink gave it up. All others have read that record; once more it could undo what came after.
    """
    if not topic:
        return Remedy.READ_AGAIN
    return Remedy.TAKEN_IN_AGAIN if stage in AGENTS else None


def headers(
    *,
    org: str,
    at: int,
    stage: str,
    reason: str,
    exception: str,
    topic: str = "",
    partition: int = -1,
    offset: int = -1,
) -> list[tuple[str, bytes]]:
    """Headers of a dead letter. `stage`: who gave it up (`alleaves.translate`, `accounts`, …)."""
    pairs = {
        TOPIC: topic,
        PARTITION: str(partition),
        OFFSET: str(offset),
        REASON: reason[:1000],
        EXCEPTION: exception,
        STAGE: stage,
        ORG: org,
        AT: str(at),
    }
    return [(name, value.encode()) for name, value in pairs.items()]
