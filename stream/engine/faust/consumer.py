"""Faust's consumer, delivering one event per partition and fetch whose value is the list of records.

The committed offset is for lag metrics only. The input's position is state's (`Ownership.seek_targets`), and
nothing is read from an input before it has been sought there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import TP, ConsumerMessage


class Positions(Protocol):
    """Who knows where each owned input partition goes on."""

    async def seek_targets(self, assigned: set[TP], consumer: Any) -> dict[TP, int]:
        """Next offset to read for each assigned input partition; called once per assignment, after recovery."""

    def next_offset(self, tp: TP) -> int | None:
        """What may be committed for an input partition: the next offset after what state includes."""


FETCH_WAIT_MS = 100
"""How long the broker may hold an empty fetch (Faust: 1.5 s). It answers a connection's requests in turn, so each
question that recovery asks would wait that long: several seconds in every start."""


class ReadCommitted(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust is not typed
    """Faust sets the isolation level only in its own exactly-once mode, which is not used, and the wait never."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer


class UnitConsumer(driver.Consumer):  # type: ignore[misc]  # Faust is not typed
    """Yields one message per partition and fetch."""

    def _new_consumer_thread(self) -> ReadCommitted:
        self._yielded: dict[TP, int] = {}
        self._sought: set[TP] = set()
        return ReadCommitted(self, loop=self.loop, beacon=self.beacon)

    @property
    def _positions(self) -> Positions:
        return self.app.ownership  # type: ignore[no-any-return]  # set by `worker.build`

    def _unit(self, tp: TP, records: list[Any], offset: int) -> tuple[TP, ConsumerMessage]:
        self._yielded[tp] = offset
        message = ConsumerMessage(
            tp.topic,
            tp.partition,
            offset,
            0.0,
            0,
            (),
            None,
            records,
            None,
            0,
            len(records),
            tp,
            generation_id=self.app.consumer_generation_id,
        )
        return tp, message

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """As Faust's, with whole batches."""
        fetched, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if fetched is None or self.should_stop:
            return
        if not self.flow_active:
            await super().perform_seek()  # a rebalance: nothing of it has been recovered yet
            return
        for tp, records in fetched.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            if active is None or tp in active or tp in self._buffered_partitions:
                yield self._unit(TP(*tp), records, records[-1].offset)
        if self.app.in_recovery:
            for unit in self._passed_markers(active or set()):
                yield unit

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        """Faust resumes an input before it seeks: what would be read before that might lie beyond a hole."""
        ready = {TP(*tp) for tp in active_partitions or () if self._is_changelog_tp(tp) or tp in self._sought}
        if not ready:  # aiokafka takes none for all
            await self.sleep(0.05)
            return {}
        return await super()._getmany(ready, timeout)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Positions are sought again once the rebalance is over."""
        self._sought.clear()
        await super().on_partitions_revoked(revoked)
        await self.app.ownership.settle()

    def _passed_markers(self, active: set[TP]) -> list[tuple[TP, ConsumerMessage]]:
        """A changelog ends in a commit marker, which is never delivered: let recovery see that it was passed."""
        passed = []
        for tp in (TP(*tp) for tp in active if self._is_changelog_tp(tp)):
            position = self._fetch_position(tp)
            if position is not None and position - 1 > self._yielded.get(tp, -1):
                passed.append(self._unit(tp, [], position - 1))
        return passed

    def _fetch_position(self, tp: TP) -> int | None:
        subscription = self._thread._consumer._subscription.subscription
        state = subscription and tp in subscription.assignment.tps and subscription.assignment.state_value(tp)
        return state._position if state and state.has_valid_position else None

    async def perform_seek(self) -> None:
        """Go on where state ends."""
        await super().perform_seek()
        if self.app.in_recovery:
            return
        for tp, offset in (await self._positions.seek_targets(set(self.assignment()), self)).items():
            await self.seek(tp, offset)
            self._sought.add(tp)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's watch for streams that stand still. No stream reads a changelog once it is recovered."""
        if not self._is_changelog_tp(tp):
            super().verify_event_path(now, tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """The offsets inside a unit are not gaps."""

    def _new_offset(self, tp: TP) -> int | None:
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return self._positions.next_offset(tp)


class UnitTransport(driver.Transport):  # type: ignore[misc]  # Faust is not typed
    """The aiokafka driver with `UnitConsumer`."""

    Consumer = UnitConsumer


class AsIs(faust.Schema):  # type: ignore[misc]  # Faust is not typed
    """Keys and values stay as they are: units decode them, where a failure can become a dead letter."""

    def loads_key(self, app: Any, message: Any, **kwargs: Any) -> Any:
        """The key's bytes."""
        return message.key

    def loads_value(self, app: Any, message: Any, **kwargs: Any) -> Any:
        """The list of records."""
        return message.value
