"""A dead letter of a producer: bytes that a vendor sent and nobody could read."""

from __future__ import annotations

from stream.contracts import topics
from stream.contracts.dead_letters import headers
from stream.contracts.names import Millis, OrgId
from stream.engine.ports import Output

LONGEST_RAW_BYTES = 1 << 20
"""What is beyond is cut off: a page without end must not stop the walk that found it. The topic has 64 KiB more, for
the headers."""


def dead_letter(
    raw: bytes, *, org: OrgId, at: Millis, stage: str, reason: str, exception: str, key: bytes | None = None
) -> Output:
    """The original bytes with the reason, under `key` (the org's own). `at`: when they were asked for (UTC ms)."""
    about = headers(org=org, at=at, stage=stage, reason=reason, exception=exception)
    return Output(topics.DEAD_LETTERS.name, key or org.encode(), raw[:LONGEST_RAW_BYTES], tuple(about))
