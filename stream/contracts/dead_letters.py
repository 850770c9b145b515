"""`dead-letters`: the original bytes under the original key; headers say where from and why.

Header names follow KIP-1034. The bytes may hold personal data: the topic is restricted and what is shown
is redacted.
"""

from __future__ import annotations

TOPIC = "__dlq.errors.topic"
PARTITION = "__dlq.errors.partition"
OFFSET = "__dlq.errors.offset"
REASON = "__dlq.errors.exception.message"
EXCEPTION = "__dlq.errors.exception.fqcn"
STAGE = "__dlq.errors.stage"
ORG = "loyalty.org"
AT = "loyalty.at"


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
