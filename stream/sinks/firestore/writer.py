"""Writes documents: each document in one lane, each lane with at most one call in flight.

What a lane does with a chunk of writes, until none is left:

    1  read the documents that are not known yet (version, content, update time)
    2  drop what is stale (a lower version than the stored one) or unchanged
    3  write the rest on condition that each document is as we know it
    4  look at every status: there, changed meanwhile (forget it and begin again), busy (wait and repeat),
       or impossible (handed back as poison)

A version alone would not do: two writers may both have read the old one. The condition on the update time alone
would not do either: it says that nobody wrote, not who is newer.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from stream.errors import LoyaltyError
from stream.sinks.document import FIELDS
from stream.sinks.firestore.connection import (
    CONFLICT,
    INVALID_ARGUMENT,
    OK,
    TRANSIENT,
    Connection,
    Failed,
    Stored,
    Written,
)
from stream.sinks.firestore.encode import Message, require, write_message
from stream.sinks.firestore.write import NEVER, DocumentWrite, Known, KnownDocuments, Version, content_of

log = structlog.get_logger(__name__)

LANES = 8
BATCH_WRITES = 100
KNOWN_DOCUMENTS = 200_000
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 5.0


class Poison(NamedTuple):
    """A write that can never succeed, and why."""

    write: DocumentWrite
    reason: str


@dataclass
class Counts:
    """What became of writes since the start. `coalesced`: a newer one of the same document took its place."""

    written: int = 0
    unchanged: int = 0
    stale: int = 0
    coalesced: int = 0
    conflicts: int = 0
    retries: int = 0
    read: int = 0


class DocumentWriter:
    """Carries writes out; `write` returns when every one is in Firestore, needless, or poison."""

    def __init__(
        self,
        connection: Connection,
        *,
        lanes: int = LANES,
        batch_writes: int = BATCH_WRITES,
        known_documents: int = KNOWN_DOCUMENTS,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
    ) -> None:
        self._connection = connection
        self._lanes = lanes
        self._batch_writes = batch_writes
        self._known = KnownDocuments(known_documents)
        self._first_wait_seconds = first_wait_seconds
        self.counts = Counts()
        self.failing: str | None = None
        """Why the last call came to nothing; None when it did not."""

    def forget(self) -> None:
        """Others may have written to these documents: read each again before it is written."""
        self._known.forget_all()

    async def write(self, writes: Iterable[DocumentWrite]) -> list[Poison]:
        """Carry out all of them, in any order between documents. Raises Refused when a person must act."""
        lanes: dict[int, list[DocumentWrite]] = {}
        for write in self._coalesced(writes):
            lanes.setdefault(zlib.crc32(write.path.encode()) % self._lanes, []).append(write)
        poison: list[Poison] = []
        try:
            async with asyncio.TaskGroup() as group:
                for lane in lanes.values():
                    group.create_task(self._lane(lane, poison))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return poison

    def _coalesced(self, writes: Iterable[DocumentWrite]) -> Iterable[DocumentWrite]:
        newest: dict[str, DocumentWrite] = {}
        for write in writes:
            earlier = newest.get(write.path)
            if earlier is None:
                newest[write.path] = write
            elif (earlier.version or NEVER) > (write.version or NEVER):
                self.counts.stale += 1
            else:
                self.counts.coalesced += 1
                newest[write.path] = earlier.superseded_by(write)
        return newest.values()

    async def _lane(self, writes: Sequence[DocumentWrite], poison: list[Poison]) -> None:
        for start in range(0, len(writes), self._batch_writes):
            poison += await self._chunk(writes[start : start + self._batch_writes])

    async def _chunk(self, writes: Sequence[DocumentWrite]) -> list[Poison]:
        poison: list[Poison] = []
        left, attempt = list(writes), 0
        while left:
            try:
                await self._learn(left)  # 1
                due = [write for write in left if self._is_due(write)]  # 2
                left = await self._send(due, poison)  # 3, 4
                self.failing = None
            except Failed as failure:
                if not failure.transient:
                    raise
                self.failing = str(failure)
                impossible = {entry.write.path for entry in poison}
                left = [write for write in left if write.path not in impossible]
                log.warning("firestore: busy or away, trying again", code=failure.code, attempt=attempt)
            if left:
                attempt += 1
                self.counts.retries += 1
                await asyncio.sleep(self._wait_seconds(attempt))
        return poison

    async def _learn(self, writes: Sequence[DocumentWrite]) -> None:
        unknown = {w.path: w for w in writes if w.version is not None and self._known.get(w.path) is None}
        if not unknown:
            return
        found = await self._connection.read(unknown, FIELDS)
        self.counts.read += len(found)
        for path, stored in found.items():
            self._known.put(path, _known(stored, unknown[path]))

    def _is_due(self, write: DocumentWrite) -> bool:
        known = self._known.get(write.path)
        if write.version is None or known is None:
            return True
        if write.version <= known.version:
            self.counts.stale += write.version < known.version
            self.counts.unchanged += write.version == known.version
            return False
        if write.content is None or write.content != known.content or write.forced:
            return True
        self.counts.unchanged += 1
        self._known.put(write.path, known._replace(version=write.version))
        return False

    async def _send(self, writes: Sequence[DocumentWrite], poison: list[Poison]) -> list[DocumentWrite]:
        """Write them; returns those to be tried again."""
        sendable, messages = self._messages(writes, poison)
        if not messages:
            return []
        try:
            results = await self._connection.write(messages)
        except Failed as failure:
            if failure.code != INVALID_ARGUMENT:
                raise
            return await self._halves(sendable, failure, poison)
        return [write for write, result in zip(sendable, results, strict=True) if self._again(write, result, poison)]

    async def _halves(
        self, writes: list[DocumentWrite], failure: LoyaltyError, poison: list[Poison]
    ) -> list[DocumentWrite]:
        """One impossible write fails a whole call: halve until it is alone."""
        if len(writes) == 1:
            poison.append(Poison(writes[0], str(failure)))
            return []
        half = len(writes) // 2
        first = await self._send(writes[:half], poison)
        return first + await self._send(writes[half:], poison)

    def _messages(
        self, writes: Sequence[DocumentWrite], poison: list[Poison]
    ) -> tuple[list[DocumentWrite], list[Message]]:
        sendable, messages = [], []
        for write in writes:
            try:
                message = write_message(self._connection.name(write.path), write.fields, write.owned)
            except (ValueError, TypeError) as error:
                poison.append(Poison(write, str(error)))
                continue
            known = self._known.get(write.path)
            if write.version is not None and known is not None:
                require(message, known.update_time)
            sendable.append(write)
            messages.append(message)
        return sendable, messages

    def _again(self, write: DocumentWrite, result: Written, poison: list[Poison]) -> bool:
        """Take note of a write's status; says whether it must be tried again."""
        if result.code == OK:
            self.counts.written += 1
            if write.version is not None:
                self._known.put(write.path, Known(write.version, write.content, result.update_time))
            return False
        if result.code in CONFLICT and write.version is not None:
            self.counts.conflicts += 1
            self._known.forget(write.path)
            return True
        if result.code in TRANSIENT:
            return True
        poison.append(Poison(write, f"{result.code}: {result.message}"))
        return False

    def _wait_seconds(self, attempt: int) -> float:
        """Exponential, with full jitter: those that failed together do not come back together."""
        return random.random() * min(LONGEST_WAIT_SECONDS, self._first_wait_seconds * 2.0**attempt)


def _known(stored: Stored, write: DocumentWrite) -> Known:
    content = None if write.content is None else content_of(stored.fields, FIELDS)
    return Known(_version(stored), content, stored.update_time)


def _version(stored: Stored) -> Version:
    """A document without a version of ours is older than any."""
    epoch, version = stored.fields.get("epoch"), stored.fields.get("version")
    return (epoch, version) if isinstance(epoch, int) and isinstance(version, int) else NEVER
