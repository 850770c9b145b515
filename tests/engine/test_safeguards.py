"""What makes the commit unit hold, point by point (`design`, "The commit unit"): each holds, and is missed."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from stream.contracts import topics
from stream.engine import unit
from stream.engine.agent import Agent
from stream.engine.faults import ALLOWED
from stream.engine.memory import worker as memory_worker
from stream.engine.memory.log import MemoryBroker, MemoryTransaction
from stream.engine.memory.worker import MemoryWorker
from stream.engine.ports import Input, Output
from stream.engine.resume import Resume
from stream.engine.state import FAULTS, Position, State
from stream.engine.turn import Turn
from stream.engine.unit import Partition
from stream.errors import Fenced
from tests.engine.counting import CHANGELOG, Bench, Multiplication, Multiplied, Spoiled, encode, same_as_undisturbed
from tests.engine.safeguarding import Patch, Safeguard, each
from tests.engine.test_unit import CUSTOMERS, Death, amounts, dies_at, expected, many, with_wide

# State is the authority on position.


async def fetched_twice() -> None:
    bench = Bench()
    amounts(bench)
    worker = await bench.run()
    await worker.partitions["counting", 0].commit(worker.agents[0], bench.broker.read("facts", 0))
    await same_as_undisturbed(bench, amounts)


def no_skipping(patch: Patch) -> None:
    plain = Partition._decode

    def everything(self: Partition, agent: Agent, records: Sequence[Input]) -> Any:
        included, self.position = self.position, Position(self.position.epoch)
        decoded = list(plain(self, agent, records))
        self.position = included
        return decoded

    patch.setattr(Partition, "_decode", everything)


async def crash_and_restart() -> None:
    bench = Bench()
    amounts(bench)
    with contextlib.suppress(Death):
        await bench.run(fetch_size=lambda: 5, step=dies_at("committed", 2))
    await bench.run(fetch_size=lambda: 5)
    await same_as_undisturbed(bench, amounts)


def position_kept_elsewhere(patch: Patch) -> None:
    """As a consumer group's committed offset is: it lags."""

    def lagging(store: Any) -> Position:
        return Position()

    patch.setattr(unit, "position_of", lagging)
    patch.setattr(memory_worker, "position_of", lagging)


# One owner.


async def paused_while_another_took_over() -> None:
    bench = Bench()
    amounts(bench)
    paused = await bench.worker(fetch_size=lambda: 5)
    await paused.step()
    bench.wipe()
    await bench.run()
    with contextlib.suppress(Fenced):
        await paused.run_until_idle()
    await same_as_undisturbed(bench, amounts)


def no_fencing(patch: Patch) -> None:
    patch.setattr(MemoryBroker, "check", lambda self, owner, term: None)


# One unit is one transaction.


async def death_before_the_commit() -> None:
    bench = Bench()
    amounts(bench)
    with contextlib.suppress(Death):
        await bench.run(fetch_size=lambda: 5, step=dies_at("commit", 2))
    bench.wipe()
    await bench.run()
    await same_as_undisturbed(bench, amounts)


def outputs_at_once(patch: Patch) -> None:
    async def send(self: MemoryTransaction, outputs: Sequence[Output]) -> None:
        broker = self._log.broker
        for output in outputs:
            broker.append(output.topic, broker.place(output), output.key, output.value, output.headers)

    patch.setattr(MemoryTransaction, "send", send)


def state_at_once(patch: Patch) -> None:
    async def store(self: MemoryTransaction, changes: Mapping[bytes, bytes | None]) -> None:
        for key, value in changes.items():
            self._log.broker.append(self._log.changelog, self._log.partition, key, value)

    patch.setattr(MemoryTransaction, "store", store)


# A partition-wide record that walks is a unit of its own.


async def wide_among_others() -> None:
    bench = Bench()
    with_wide(bench)
    await bench.run()
    assert bench.totals() == expected()


def in_one_unit(patch: Patch) -> None:
    async def commit(self: Partition, agent: Agent, records: Sequence[Input]) -> None:
        turn = self._turn()
        for record, event in self._decode(agent, records):
            assert not isinstance(event, Exception)
            turn.offset = record.offset
            if not event.id:
                agent.apply(event, turn)
            elif not unit._was_taken(turn, event):
                work = agent.wide(event, turn)
                assert work is not None
                for number, prefix in enumerate(work.prefixes):
                    for key, _ in self.store.scan(prefix):
                        work.visit(turn, number, key)
                work.finish(turn)
                unit._take(turn, event)
            turn.keep()
        await self._transact(turn, Position(self.place.epoch, turn.offset))

    patch.setattr(Partition, "commit", commit)


# It is worked off in chunks, with a cursor.


async def death_between_chunks() -> None:
    for times in (3, 5, 7, 9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(unit, "CHUNK_KEYS", 5)
            bench = Bench()
            with_wide(bench)
            with contextlib.suppress(Death):
                await bench.run(step=dies_at("committed", times))
            bench.wipe()
            await bench.run()
        assert bench.totals() == expected()
        await same_as_undisturbed(bench, with_wide)


def no_cursor(patch: Patch) -> None:
    _forget_keys(patch, b"c|")


def cursor_without_what_was_gathered(patch: Patch) -> None:
    patch.setattr(Multiplication, "gathered", lambda self: b"0")


def _forget_keys(patch: Patch, prefix: bytes) -> None:
    put = State.put

    def forgetful(self: State, key: bytes, value: Any) -> None:
        if not key.startswith(prefix):
            put(self, key, value)

    patch.setattr(State, "put", forgetful)


# A record's own fault or ours?


async def all_records_broken() -> None:
    bench = Bench()
    last = many(bench, ALLOWED + 10)
    worker = await bench.run(fetch_size=lambda: 1)
    assert len(bench.broker.all(topics.DEAD_LETTERS.name)) == ALLOWED
    assert worker.partitions["counting", 0].position.offset == last - 10
    assert worker.stopped


async def all_records_broken_and_restarts() -> None:
    bench = Bench()
    many(bench, ALLOWED + 10)
    for _ in range(ALLOWED + 10):
        worker = await bench.worker(fetch_size=lambda: 1)
        await worker.step()
        bench.wipe()
    assert len(bench.broker.all(topics.DEAD_LETTERS.name)) == ALLOWED
    assert len(bench.broker.all(topics.ALERTS.name)) == 1


def no_limit(patch: Patch) -> None:
    patch.setattr(unit, "too_many", lambda faults, offset: False)


def limit_in_memory(patch: Patch) -> None:
    _forget_keys(patch, FAULTS)


async def failure_after_staging() -> None:
    bench = Bench()
    bench.add(1)
    bench.raw(encode(Spoiled(), "c"))
    await bench.run()
    assert bench.totals() == {"c": 1}
    assert sum(bench.said(topics.ENTRIES).values()) == 1


def writes_are_not_staged(patch: Patch) -> None:
    patch.setattr(State, "drop", State.keep)


def outputs_are_not_staged(patch: Patch) -> None:
    def only_state(self: Turn) -> None:
        self.state.drop()

    patch.setattr(Turn, "drop", only_state)


# Where a partition goes on.


async def log_with_a_hole() -> None:
    bench = Bench()
    amounts(bench)
    await bench.run()
    for number in range(6):
        bench.add(number)
    bench.broker.expire("facts", 0, 15)
    worker = await bench.run()
    assert "records 12 to 15 (exclusive) were deleted" in worker.stopped.get(("counting", 0), "")
    assert worker.partitions["counting", 0].position.offset == 11


def holes_are_passed_over(patch: Patch) -> None:
    def onward(position: Position, start: int, end: int, heals: bool = False) -> Resume:
        return Resume(max(position.offset + 1, start))

    patch.setattr(memory_worker, "resume", onward)


async def log_without_its_tail() -> None:
    bench = Bench()
    amounts(bench)
    await bench.run()
    before = bench.profiles()
    bench.broker.truncate("facts", 0, 8)
    worker = await bench.run()
    assert worker.partitions["counting", 0].position == Position(1, 7)
    assert bench.profiles() == {key: b"(1, 7)=" + (said or b"").partition(b"=")[2] for key, said in before.items()}

    bench.add(1000, "c0")  # at an offset that state had included before
    await bench.run()
    assert bench.totals()["c0"] == 1 + 4 + 7 + 10 + 1000
    ids = [(record.value or b"").partition(b"=")[0] for record in bench.broker.all(topics.ENTRIES.name)]
    assert len(set(ids)) == 13, "an offset that was used before has a new id"


def tails_are_not_missed(patch: Patch) -> None:
    patch.setattr(memory_worker, "resume", lambda position, start, end, heals=False: Resume(position.offset + 1))


def same_epoch(patch: Patch) -> None:
    async def begin(self: Partition, agent: Agent, offset: int, at: int) -> None:
        await self._transact(self._turn(), Position(self.position.epoch, offset))

    patch.setattr(Partition, "begin_epoch", begin)


async def store_ahead_of_its_changelog() -> None:
    """The changelog lost what the local store has: entries of it are gone with it, so it must be said again."""
    bench = Bench()
    amounts(bench)
    await bench.run(fetch_size=lambda: 6)
    for topic in (CHANGELOG, topics.ENTRIES, topics.PROFILES):
        end = bench.broker.end(topic.name, 0)
        bench.broker.truncate(topic.name, 0, end // 2)
    await bench.run(fetch_size=lambda: 6)
    await same_as_undisturbed(bench, amounts)


def stores_are_believed(patch: Patch) -> None:
    def recover(self: MemoryWorker, store: Any, changelog: str, number: int) -> None:
        for record in self.broker.read(changelog, number, store.changelog_offset + 1):
            store.write({record.key or b"": record.value}, record.offset)

    patch.setattr(MemoryWorker, "_recover", recover)


# Each partition-wide id once.


async def repeated_by_its_publisher() -> None:
    bench = Bench()
    for number in range(CUSTOMERS):
        bench.add(number, f"c{number}")
    for _ in range(3):
        bench.wide(Multiplied(2), "m")
    await bench.run()
    assert sum(bench.totals().values()) == 2 * sum(range(CUSTOMERS))


def ids_are_forgotten(patch: Patch) -> None:
    patch.setattr(unit, "_was_taken", lambda turn, event: False)


every_safeguard = each(
    Safeguard("records that state includes are skipped", fetched_twice, no_skipping),
    Safeguard("the position is in state", crash_and_restart, position_kept_elsewhere),
    Safeguard("a predecessor is fenced", paused_while_another_took_over, no_fencing),
    Safeguard("outputs are in the transaction", death_before_the_commit, outputs_at_once),
    Safeguard("state is in the transaction", death_before_the_commit, state_at_once),
    Safeguard("a walk is a unit of its own", wide_among_others, in_one_unit),
    Safeguard("a walk keeps a cursor", death_between_chunks, no_cursor),
    Safeguard("the cursor holds what was gathered", death_between_chunks, cursor_without_what_was_gathered),
    Safeguard("dead letters have a limit", all_records_broken, no_limit),
    Safeguard("dead letters are counted in state", all_records_broken_and_restarts, limit_in_memory),
    Safeguard("a record's writes are staged", failure_after_staging, writes_are_not_staged),
    Safeguard("a record's outputs are staged", failure_after_staging, outputs_are_not_staged),
    Safeguard("a log with a hole stops the partition", log_with_a_hole, holes_are_passed_over),
    Safeguard("a log without its tail is noticed", log_without_its_tail, tails_are_not_missed),
    Safeguard("a log without its tail begins an epoch", log_without_its_tail, same_epoch),
    Safeguard("a store ahead of its changelog is wiped", store_ahead_of_its_changelog, stores_are_believed),
    Safeguard("each partition-wide id is taken once", repeated_by_its_publisher, ids_are_forgotten),
)


@every_safeguard
async def test_a_safeguard_holds(safeguard: Safeguard) -> None:
    await safeguard.holds()


@every_safeguard
async def test_a_safeguard_is_missed_when_it_is_taken_out(safeguard: Safeguard, monkeypatch: Patch) -> None:
    await safeguard.is_missed(monkeypatch)
