"""The commit unit: all records of one partition in one fetch, applied and committed as one transaction.

    1  decode each record; skip those at or below the position that state includes
    2  apply each in memory; a record that fails by its own fault becomes a dead letter
    3  in one transaction: outputs, then every changed key, then the position; commit
    4  write the local store in one batch, with the changelog offset
    5  acknowledge: let the next unit of the partition begin (the group's offset is for lag metrics only)

A crash before 3 ends leaves nothing: the next owner applies the same records again. A crash after it is
made good from the changelog, which holds the position too. A partition-wide record that has keys to walk is
a unit of its own, worked off in several transactions over key ranges; the position moves with the last. One
that only counts towards a barrier is taken in like any other record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from itertools import islice
from typing import Any

from stream.contracts.alerts import Alert, AlertKind, encode_alert
from stream.contracts.envelope import Event
from stream.contracts.topics import ALERTS
from stream.engine import trying
from stream.engine.agent import Agent, Wide
from stream.engine.faults import give_up, too_many
from stream.engine.ports import Input, Log, Store
from stream.engine.state import (
    FAULTS,
    POSITION,
    RENEWING,
    TAKEN,
    Cursor,
    Faults,
    Position,
    Renewing,
    State,
    Taken,
    cursor_key,
    decoder,
)
from stream.engine.turn import Place, Turn
from stream.errors import BadRecord, LoyaltyError, PartitionStopped

CHUNK_KEYS = 4000
CHUNK_OUTPUTS = 4000
CHUNK_CHANGES = 20_000
"""Keys visited per transaction of a partition-wide record, and outputs and changed keys after which it ends earlier:
bound its size."""
STRETCH_KEYS = 250
"""Keys visited before other partitions get their turn: bounds how long the loop is held."""
TAKEN_IDS = 256

Decoded = tuple[Input, Event[Any] | BadRecord]


class _Outcome(Enum):
    """What became of a record in its unit."""

    APPLIED = auto()
    WALKS = auto()
    STOPS = auto()


class Unit:
    """Records of one partition on their way into its state."""

    def __init__(self, partition: Partition, records: Sequence[Input], acknowledge: Callable[[], None]) -> None:
        self.partition = partition
        self.records = records
        self._acknowledge = acknowledge

    @property
    def name(self) -> str:
        """For logs: which records these are."""
        place = self.partition.place
        return f"{place.source}/{place.partition}/{self.records[0].offset}-{self.records[-1].offset}"

    async def commit(self, agent: Agent) -> None:
        """Steps 1 to 5. Raises `Fenced`, `PartitionStopped`, or what the log raised when it gave up."""
        await self.partition.commit(agent, self.records)
        self._acknowledge()  # 5


class Partition:
    """One owned partition: its store, its log, and the position that both include."""

    def __init__(self, place: Place, store: Store, log: Log) -> None:
        self.store = store
        self.log = log
        self.position = position_of(store)
        self.place = place._replace(epoch=self.position.epoch)
        self.applied = 0
        self.dead_letters = 0
        self.retries = 0
        self._stopped: PartitionStopped | None = None

    async def commit(self, agent: Agent, records: Sequence[Input]) -> None:
        """Apply and commit records in one unit; a partition-wide record that has keys to walk is one of its own.

        Raises `PartitionStopped`, and again for whatever comes after: what lies behind the stop must not be skipped.
        """
        if self._stopped is not None:
            raise self._stopped
        try:
            await self._commit(agent, records)
        except PartitionStopped as stopped:
            self._stopped = stopped
            raise

    async def _commit(self, agent: Agent, records: Sequence[Input]) -> None:
        turn, taken = self._turn(), 0
        for record, event in self._decode(agent, records):  # 1
            outcome = self._apply(agent, turn, record, event)  # 2
            if outcome is _Outcome.APPLIED:
                taken += 1
            elif outcome is _Outcome.STOPS:
                await self._stop(turn, record, event)
            else:
                await self._commit_unit(turn, taken, record.offset - 1)
                await self._commit_wide(agent, record, event)
                turn, taken = self._turn(), 0
            turn.offset = record.offset
        await self._commit_unit(turn, taken, turn.offset)

    async def _commit_unit(self, turn: Turn, taken: int, offset: int) -> None:
        if taken:
            await self._transact(turn, Position(self.place.epoch, offset))  # 3, 4
            self.applied += taken

    async def begin_epoch(self, agent: Agent, offset: int, at: int) -> None:
        """The input log is not the one that state was built from: count from `offset` in a higher epoch, and say
        everything again. The position moves first, with a mark that stays until everything has been said."""
        self.place = self.place._replace(epoch=self.position.epoch + 1)
        turn = self._turn(offset)
        turn.state.put(RENEWING, Renewing(offset, at))
        turn.keep()
        await self._transact(turn, Position(self.place.epoch, offset))
        await self.finish_epoch(agent)

    async def finish_epoch(self, agent: Agent) -> None:
        """Say everything again, if an epoch began and that was not done to the end."""
        raw = self.store.get(RENEWING)
        if raw is None:
            return
        renewing = decoder(Renewing).decode(raw)
        for prefix in agent.renewed:
            after: bytes | None = None
            while found := list(islice(self.store.scan(prefix, after), CHUNK_KEYS)):
                turn = self._turn(renewing.offset)
                for key, _ in found:
                    agent.renew(turn, key, renewing.at)
                turn.keep()
                await self._transact(turn, self.position)
                after = found[-1][0]
        turn = self._turn(renewing.offset)
        turn.state.delete(RENEWING)
        turn.keep()
        await self._transact(turn, self.position)

    def _decode(self, agent: Agent, records: Sequence[Input]) -> Iterator[Decoded]:
        included, decode = self.position.offset, agent.vocabulary.decode
        for record in records:
            if record.offset <= included:
                continue
            event: Event[Any] | BadRecord
            try:
                event = decode(record.value or b"")
            except BadRecord as error:
                event = error if record.value else BadRecord("an empty record")
            yield record, event

    def _apply(self, agent: Agent, turn: Turn, record: Input, event: Event[Any] | BadRecord) -> _Outcome:
        """Apply one record, or give it up, or say why it cannot be part of this unit."""
        turn.offset, turn.written_at = record.offset, record.timestamp
        try:
            if isinstance(event, BadRecord):
                raise event
            if not event.id:
                agent.apply(event, turn)
            elif not _was_taken(turn, event):
                if agent.wide(event, turn) is not None:
                    turn.drop()
                    return _Outcome.WALKS
                _take(turn, event)
        except Exception as error:
            if isinstance(error, LoyaltyError) and not isinstance(error, BadRecord):
                raise
            turn.drop()
            if too_many(turn.state.get(FAULTS, Faults) or Faults(), record.offset):
                return _Outcome.STOPS
            at, org = _about(record, event)
            give_up(turn, record, error, at, org)
            self.dead_letters += 1
        turn.keep()
        return _Outcome.APPLIED

    async def _commit_wide(self, agent: Agent, record: Input, event: Event[Any] | BadRecord) -> None:
        """A partition-wide record alone: what it staged is staged again, now that what came before is committed."""
        assert isinstance(event, Event)
        turn = self._turn(record.offset)
        work = agent.wide(event, turn)
        if work is not None:
            turn = await self._walk(work, turn, record, event)
        _take(turn, event)
        turn.state.delete(cursor_key(event.id))
        turn.keep()
        await self._transact(turn, Position(self.place.epoch, record.offset))
        self.applied += 1

    async def _walk(self, work: Wide, turn: Turn, record: Input, event: Event[Any]) -> Turn:
        """Visit every key of every pass; all but the last transaction are committed here."""
        cursor = turn.state.get(cursor_key(event.id), Cursor) or Cursor()
        if cursor.gathered:
            work.resume(cursor.gathered)
        while cursor.number < len(work.prefixes):
            prefix = work.prefixes[cursor.number]
            found = [key for key, _ in islice(self.store.scan(prefix, cursor.after or None), CHUNK_KEYS)]
            visited = await self._visit_chunk(work, turn, cursor.number, found, event)
            if visited == len(found) < CHUNK_KEYS:
                cursor = Cursor(cursor.number + 1)
                continue
            cursor = Cursor(cursor.number, found[visited - 1], work.gathered())
            turn.state.put(cursor_key(event.id), cursor)
            turn.keep()
            await self._transact(turn, self.position)
            turn = self._turn(record.offset)
        work.finish(turn)
        return turn

    async def _visit_chunk(self, work: Wide, turn: Turn, number: int, found: Sequence[bytes], event: Event[Any]) -> int:
        """Visit keys until there is enough for a transaction; returns how many were visited."""
        for visited, key in enumerate(found, start=1):
            self._visit(work, turn, number, key, event)
            if turn.staged >= CHUNK_OUTPUTS or turn.state.changed >= CHUNK_CHANGES:
                return visited
            if visited % STRETCH_KEYS == 0:
                await asyncio.sleep(0)
        return len(found)

    def _visit(self, work: Wide, turn: Turn, number: int, key: bytes, event: Event[Any]) -> None:
        """A failure in the middle cannot be dead-lettered: part of the event has been committed."""
        try:
            work.visit(turn, number, key)
        except Exception as error:
            if isinstance(error, LoyaltyError) and not isinstance(error, BadRecord):
                raise
            raise PartitionStopped(
                f"{self.place.agent} cannot work off {type(event.data).__name__} {event.id} in partition "
                f"{self.place.partition} of {self.place.source}: {error!r} at {key!r}. Put that right and start again."
            ) from error

    def _turn(self, offset: int = -1) -> Turn:
        turn = Turn(State(self.store), self.place)
        turn.offset = offset
        return turn

    async def _stop(self, turn: Turn, record: Input, event: Event[Any] | BadRecord) -> None:
        """Commit what came before, tell people once, and refuse to go on."""
        faults = turn.state.get(FAULTS, Faults) or Faults()
        at, org = _about(record, event)
        reason = (
            f"{self.place.agent} stopped partition {self.place.partition} of {self.place.source} at offset "
            f"{record.offset}: more than {len(faults.offsets)} dead letters in a row of 1,000 records mean a bad "
            "deploy or bad settings. Put that right and start again; nothing was skipped."
        )
        if faults.stopped_at != record.offset:
            alert = Alert(kind=AlertKind.PARTITION_STOPPED, org=org, reason=reason)
            value, headers = encode_alert(alert, alert_id=turn.output_id(ALERTS, org, "stopped"), at=at)
            turn.emit(ALERTS, org.encode(), value, tuple(headers))
            turn.state.put(FAULTS, Faults(faults.offsets, record.offset))
            turn.keep()
        await self._transact(turn, Position(self.place.epoch, record.offset - 1))
        raise PartitionStopped(reason)

    async def _transact(self, turn: Turn, position: Position) -> None:
        if position != self.position:
            turn.state.put(POSITION, position)
            turn.keep()
        outputs, changes = turn.take_outputs(), turn.state.changes()
        if not outputs and not changes:
            return
        if POSITION in changes:
            changes[POSITION] = changes.pop(POSITION)  # last, so that a reader of the changelog sees it last
        offset = await trying.persist(lambda: self._write(outputs, changes), self._retrying)  # 3
        self.store.write(changes, offset)  # 4
        self.position = position

    def _retrying(self) -> None:
        self.retries += 1

    async def _write(self, outputs: Sequence[Any], changes: dict[bytes, bytes | None]) -> int:
        transaction = await self.log.begin()
        try:
            await transaction.send(outputs)
            await transaction.store(changes)
        except BaseException:
            await transaction.abort()
            raise
        return await transaction.commit()


def position_of(store: Store) -> Position:
    """The position that a store includes; before the first record when it is empty."""
    raw = store.get(POSITION)
    return Position() if raw is None else decoder(Position).decode(raw)


def _was_taken(turn: Turn, event: Event[Any]) -> bool:
    """Publishers repeat a partition-wide event until every partition has acknowledged it."""
    return event.id in (turn.state.get(TAKEN, Taken) or Taken()).ids


def _take(turn: Turn, event: Event[Any]) -> None:
    taken = turn.state.get(TAKEN, Taken) or Taken()
    turn.state.put(TAKEN, Taken((*taken.ids, event.id)[-TAKEN_IDS:]))


def _about(record: Input, event: Event[Any] | BadRecord) -> tuple[int, str]:
    """When and whose, as far as the record could be read: at least its key says whose."""
    if isinstance(event, BadRecord):
        return record.timestamp, (record.key or b"").partition(b":")[0].decode(errors="replace")
    return event.at, event.org
