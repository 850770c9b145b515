"""What Firestore can never take becomes a dead letter; too many of them stop the sink."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

import structlog

from stream.contracts import dead_letters, topics
from stream.engine.ports import Input, Output, Publisher
from stream.errors import PartitionStopped

log = structlog.get_logger(__name__)

STAGE = "firestore"
ALLOWED = 20
WINDOW_RECORDS = 1000


class DeadLetters:
    """Publishes records that cannot be exported, and counts them.

    More than `ALLOWED` among the last `WINDOW_RECORDS` records are not the records' fault but a bad deploy.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._seen = 0
        self._recent: deque[int] = deque()
        self.count = 0

    def passed(self, records: int) -> None:
        """So many records have gone by."""
        self._seen += records
        while self._recent and self._recent[0] <= self._seen - WINDOW_RECORDS:
            self._recent.popleft()

    async def give_up(self, failed: Sequence[tuple[Input, str]]) -> None:
        """Publish these records with their reasons. Raises PartitionStopped, before any is, when it is too many."""
        if not failed:
            return
        self._recent.extend([self._seen] * len(failed))
        if len(self._recent) > ALLOWED:
            raise PartitionStopped(
                f"Firestore took none of {len(self._recent)} among the last {WINDOW_RECORDS} records "
                f"(the last: {failed[-1][1]}): correct the export, then start the sink again; nothing was passed over."
            )
        await self._publisher.publish([_letter(record, reason) for record, reason in failed])
        self.count += len(failed)
        for record, reason in failed:
            place = f"{record.topic}/{record.partition}/{record.offset}"
            log.error("firestore: record cannot be exported, dead letter", record=place, reason=reason[:200])


def _letter(record: Input, reason: str) -> Output:
    key = record.key or b""
    headers = dead_letters.headers(
        org=key.decode(errors="replace").split(":")[0],
        at=int(time.time() * 1000),
        stage=STAGE,
        reason=reason,
        exception="Poison",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )
    return Output(topics.DEAD_LETTERS.name, key, record.value, tuple(headers))
