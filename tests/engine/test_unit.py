"""The commit unit, by the numbers of its steps (`stream.engine.unit`)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

import pytest

from stream.contracts import alerts, dead_letters, topics
from stream.contracts.alerts import AlertKind
from stream.engine import trying, unit
from stream.engine.faults import ALLOWED, WINDOW_OFFSETS
from stream.engine.memory.log import MemoryStore
from stream.engine.memory.worker import MemoryWorker
from stream.engine.state import POSITION, TAKEN
from stream.engine.unit import Unit
from stream.errors import LoyaltyError, PartitionStopped, Unavailable
from tests.engine.counting import (
    CHANGELOG,
    Added,
    Asked,
    Bench,
    Counting,
    Marked,
    Multiplied,
    Refused,
    Spoiled,
    encode,
    same_as_undisturbed,
    values,
)


class Death(BaseException):
    """The process is gone."""


class DyingStore(MemoryStore):
    """Dies instead of writing for the `at`-th time: between the commit and the local store."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def write(self, changes: Mapping[bytes, bytes | None], changelog_offset: int) -> None:
        self.at -= 1
        if self.at == 0:
            raise Death
        super().write(changes, changelog_offset)


def dies_at(step: str, times: int = 1) -> Callable[[str], None]:
    """Dies at the `times`-th occurrence of a step."""
    left = times

    def hook(now: str) -> None:
        nonlocal left
        if now == step:
            left -= 1
            if left == 0:
                raise Death

    return hook


def amounts(bench: Bench) -> None:
    """Three customers, some amounts."""
    for number in range(12):
        bench.add(number + 1, f"c{number % 3}")


async def test_1_records_at_or_below_the_position_are_skipped() -> None:
    bench = Bench()
    amounts(bench)
    worker = await bench.run()
    partition = worker.partitions["counting", 0]

    records = bench.broker.read("facts", 0)
    await partition.commit(worker.agents[0], records)
    late = bench.add(100)
    await partition.commit(worker.agents[0], [*records[5:], *bench.broker.read("facts", 0, late)])

    assert bench.totals() == {"c": 100, "c0": 1 + 4 + 7 + 10, "c1": 2 + 5 + 8 + 11, "c2": 3 + 6 + 9 + 12}
    assert partition.position.offset == late


async def test_1_a_fetch_with_nothing_new_writes_nothing() -> None:
    bench = Bench()
    amounts(bench)
    worker = await bench.run()
    end = bench.broker.end(CHANGELOG.name, 0)
    await worker.partitions["counting", 0].commit(worker.agents[0], bench.broker.read("facts", 0))

    assert bench.broker.end(CHANGELOG.name, 0) == end


async def test_1_gaps_in_the_offsets_are_normal() -> None:
    bench = Bench()
    for number in range(10):
        bench.add(number)
        for _ in range(number % 3):
            bench.broker.gap("facts", 0)
    await bench.run(fetch_size=lambda: 2)

    assert bench.totals() == {"c": sum(range(10))}
    assert len(bench.said()) == 10


async def test_2_a_unit_that_dies_before_its_transaction_leaves_nothing() -> None:
    def die() -> None:
        raise Death

    bench = Bench()
    bench.add(1)
    bench.raw(encode(Asked(), "c"))
    bench.add(2)
    agent = Counting()
    agent.when_asked = die
    with pytest.raises(Death):
        await bench.run(agent=agent)
    assert (bench.said(), bench.local()) == ({}, {})

    await bench.run()
    assert bench.totals() == {"c": 3}
    assert sum(bench.said().values()) == 2


@pytest.mark.parametrize("wiped", [False, True], ids=["same disk", "new disk"])
@pytest.mark.parametrize("fetch", [1, 5, 100])
@pytest.mark.parametrize("step", ["send", "store", "commit", "committed"])
async def test_3_a_death_in_the_transaction_changes_nothing_in_the_end(step: str, fetch: int, wiped: bool) -> None:
    for times in (1, 2, 3):
        bench = Bench()
        amounts(bench)
        try:
            await bench.run(fetch_size=lambda: fetch, step=dies_at(step, times))
        except Death:
            if wiped:
                bench.wipe()
        await bench.run(fetch_size=lambda: fetch + 1)
        await same_as_undisturbed(bench, amounts)


@pytest.mark.parametrize("at", [1, 2, 3])
async def test_4_a_death_before_the_local_store_is_made_good_from_the_changelog(at: int) -> None:
    bench = Bench()
    amounts(bench)
    bench.stores["counting", 0] = dying = DyingStore(at)
    with pytest.raises(Death):
        await bench.run(fetch_size=lambda: 4)
    dying.at = 0  # never again

    await bench.run(fetch_size=lambda: 5)
    await same_as_undisturbed(bench, amounts)


async def test_4_the_store_is_written_with_the_offset_of_its_last_change() -> None:
    bench = Bench()
    amounts(bench)
    await bench.run(fetch_size=lambda: 4)

    last = bench.broker.read(CHANGELOG.name, 0)[-1]
    assert bench.stores["counting", 0].changelog_offset == last.offset
    assert last.key == POSITION, "the position is the last change of each unit"


async def test_5_a_unit_is_acknowledged_once_it_is_committed_and_not_before() -> None:
    bench = Bench()
    amounts(bench)
    acknowledged: list[int] = []
    worker = await bench.worker(step=dies_at("committed", 2))
    partition = worker.partitions["counting", 0]
    for records in (bench.broker.read("facts", 0, 0, 4), bench.broker.read("facts", 0, 4)):
        with contextlib.suppress(Death):
            await Unit(partition, records, lambda: acknowledged.append(len(bench.said()))).commit(worker.agents[0])

    assert acknowledged == [4]


@pytest.mark.parametrize(
    ("value", "because"),
    [
        (b"{", "not an event of this topic"),
        (b"\xff\xfe", "not an event of this topic"),
        (b'{"type":"Unheard","org":"org","at":1,"source":"s","data":{}}', "Invalid value 'Unheard'"),
        (None, "an empty record"),
        (encode(Spoiled(), "c"), "spoiled"),
        (encode(Spoiled(own=False), "c"), "a bug"),
    ],
)
async def test_a_bad_record_becomes_a_dead_letter_as_it_was_and_the_others_go_on(
    value: bytes | None, because: str
) -> None:
    bench = Bench()
    bench.add(1)
    offset = bench.raw(value, headers=(("trace", b"7"), ("trace", b"8")))
    bench.add(2)
    worker = await bench.run()

    (letter,) = bench.broker.all(topics.DEAD_LETTERS.name)
    headers = dict(letter.headers)
    assert (letter.key, letter.value) == (b"org:c", value or b"")
    assert letter.headers[:2] == (("trace", b"7"), ("trace", b"8"))
    assert because in headers[dead_letters.REASON].decode()
    assert headers[dead_letters.OFFSET] == b"%d" % offset
    assert headers[dead_letters.TOPIC] == b"facts"
    assert headers[dead_letters.STAGE] == b"counting"
    assert headers[dead_letters.ORG] == b"org"
    assert bench.totals() == {"c": 3}
    assert worker.partitions["counting", 0].dead_letters == 1


@pytest.mark.parametrize("own", [True, False])
async def test_a_record_that_fails_after_staging_leaves_no_write_and_no_output(own: bool) -> None:
    bench = Bench()
    bench.add(1, "somebody-else")
    bench.raw(encode(Spoiled(own), "c"), "c")
    bench.raw(encode(Spoiled(own), "new"), "new")
    await bench.run()

    assert bench.totals() == {"somebody-else": 1}
    assert sum(bench.said(topics.ENTRIES).values()) == 1
    assert bench.profiles() == {b"somebody-else": b"(0, 0)=1"}


class Broken(MemoryStore):
    """A disk that fails, or state that a bad deploy cannot read."""

    broken: bytes | None = None

    def get(self, key: bytes) -> bytes | None:
        if key.startswith(b"a|") and self.broken is None:
            raise OSError("no such device")
        return self.broken if key.startswith(b"a|") else super().get(key)


@pytest.mark.parametrize("broken", [None, b"\xc1", b"\xa3abc"])
async def test_state_that_cannot_be_read_is_never_the_fault_of_the_record(broken: bytes | None) -> None:
    bench = Bench()
    bench.add(1)
    bench.stores["counting", 0] = store = Broken()
    store.broken = broken
    with pytest.raises(LoyaltyError, match="cannot be read"):
        await bench.run()

    assert bench.said() == {}


def many(bench: Bench, bad: int, between: int = 0) -> int:
    """`bad` broken records with `between` good ones after each; the offset of the last broken one."""
    last = -1
    for _ in range(bad):
        last = bench.raw(b"{")
        for _ in range(between):
            bench.add(1)
    return last


@pytest.mark.parametrize("fetch", [1, 7, 1000])
async def test_more_than_the_allowed_dead_letters_stop_the_partition_with_one_alert(fetch: int) -> None:
    bench = Bench()
    bench.add(5)
    last = many(bench, ALLOWED + 1, between=1)
    bench.add(99)
    for _ in range(3):  # also over restarts
        worker = await bench.run(fetch_size=lambda: fetch)
        assert "counting stopped partition 0 of facts" in worker.stopped["counting", 0]
        assert f"at offset {last}" in worker.stopped["counting", 0]
        assert worker.partitions["counting", 0].position.offset == last - 1

    assert bench.totals() == {"c": 5 + ALLOWED}, "everything before is committed, nothing after"
    assert len(bench.broker.all(topics.DEAD_LETTERS.name)) == ALLOWED
    (alert,) = bench.broker.all(topics.ALERTS.name)
    data = alerts.decode_alert(alert.value or b"")
    assert (data.kind, data.org) == (AlertKind.PARTITION_STOPPED, "org")


async def test_a_stopped_partition_takes_nothing_that_lies_behind_the_stop() -> None:
    bench = Bench()
    last = many(bench, ALLOWED + 1, between=1)
    worker = await bench.run()
    partition = worker.partitions["counting", 0]
    behind = bench.add(7)
    with pytest.raises(PartitionStopped):
        await partition.commit(Counting(), bench.broker.read("facts", 0, behind))
    assert partition.position.offset == last - 1


async def test_a_stopped_partition_goes_on_where_it_stopped_once_the_fault_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    for _ in range(ALLOWED + 5):
        bench.raw(encode(Spoiled(own=False), "c"))
    bench.add(1)
    assert (await bench.run()).stopped
    plain = Counting.apply

    def mended(self: Counting, event: object, turn: object) -> None:
        with contextlib.suppress(KeyError):
            plain(self, event, turn)  # type: ignore[arg-type]

    monkeypatch.setattr(Counting, "apply", mended)
    assert not (await bench.run()).stopped

    assert bench.totals() == {"c": 5 * 1_000_000 + 1}
    assert len(bench.broker.all(topics.DEAD_LETTERS.name)) == ALLOWED


async def test_dead_letters_spread_over_more_than_the_window_do_not_stop_it() -> None:
    bench = Bench()
    spread = WINDOW_OFFSETS // ALLOWED
    many(bench, 3 * ALLOWED, between=spread - 1)
    worker = await bench.run(fetch_size=lambda: 333)

    assert worker.stopped == {}
    assert len(bench.broker.all(topics.DEAD_LETTERS.name)) == 3 * ALLOWED


async def test_a_stop_after_a_restart_with_nothing_to_do_writes_nothing() -> None:
    bench = Bench()
    many(bench, ALLOWED + 1)
    await bench.run()
    offset, end = bench.stores["counting", 0].changelog_offset, bench.broker.end(CHANGELOG.name, 0)
    await bench.run()

    assert bench.stores["counting", 0].changelog_offset == offset
    assert bench.broker.end(CHANGELOG.name, 0) == end


CUSTOMERS = 23


def with_wide(bench: Bench) -> None:
    """Ordinary records, a partition-wide one between them, and the same once more."""
    for number in range(CUSTOMERS):
        bench.add(number + 1, f"c{number:02}")
    bench.wide(Multiplied(3), "m1")
    bench.add(1000, "c00")
    bench.wide(Multiplied(3), "m1")
    bench.wide(Multiplied(2), "m2")
    bench.add(1, "c01")


def expected() -> dict[str, int]:
    """By hand: (n + 1) × 3, plus 1000 for c00, × 2, plus 1 for c01."""
    totals = {f"c{n:02}": (n + 1) * 6 for n in range(CUSTOMERS)}
    return totals | {"c00": totals["c00"] + 2000, "c01": totals["c01"] + 1}


def boundaries(bench: Bench) -> list[list[bytes | None]]:
    """Keys of the changelog, by transaction."""
    found: list[list[bytes | None]] = [[]]
    previous = -1
    for record in bench.broker.read(CHANGELOG.name, 0):
        if record.offset != previous + 1:
            found.append([])
        found[-1].append(record.key)
        previous = record.offset
    return found


async def test_a_partition_wide_record_with_keys_to_walk_is_alone_in_its_unit() -> None:
    bench = Bench()
    with_wide(bench)
    await bench.run()

    assert bench.totals() == expected()
    transactions = boundaries(bench)
    assert [TAKEN in keys for keys in transactions] == [False, True, False, True, False]
    assert [sum(1 for k in keys if k and k.startswith(b"a|")) for keys in transactions] == [23, 23, 1, 23, 1]


@pytest.mark.parametrize("fetch", [1, 2, 100])
async def test_a_partition_wide_record_without_a_walk_is_taken_once_among_the_others(fetch: int) -> None:
    bench = Bench()
    bench.add(1)
    for event_id in ("m1", "m1", "m2", "m1"):
        bench.wide(Marked(), event_id)
    bench.add(2)
    await bench.run(fetch_size=lambda: fetch)

    assert bench.totals() == {"c": 3, "marks": 2}
    assert sum(bench.said(topics.ENTRIES).values()) == 4
    assert len(boundaries(bench)) == -(-6 // fetch)


async def test_an_id_is_taken_once_though_it_is_repeated_and_the_repeat_moves_the_position() -> None:
    bench = Bench()
    bench.add(1)
    for _ in range(5):
        bench.wide(Multiplied(10), "once")
    worker = await bench.run(fetch_size=lambda: 2)

    assert bench.totals() == {"c": 10}
    assert worker.partitions["counting", 0].position.offset == 5


@pytest.mark.parametrize("chunk", [1, 4, CUSTOMERS, CUSTOMERS + 1])
async def test_a_long_walk_in_chunks_ends_the_same(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit, "CHUNK_KEYS", chunk)
    bench = Bench()
    with_wide(bench)
    await bench.run()
    monkeypatch.undo()

    assert bench.totals() == expected()
    assert not [key for key in bench.local() if key.startswith(b"c|")], "the cursor is gone at the end"
    await same_as_undisturbed(bench, with_wide)


@pytest.mark.parametrize(
    ("bound", "most", "transactions"),
    [
        ("CHUNK_OUTPUTS", 1, CUSTOMERS),
        ("CHUNK_OUTPUTS", 3, -(-CUSTOMERS // 2)),
        ("CHUNK_OUTPUTS", 2 * CUSTOMERS, 1),
        ("CHUNK_OUTPUTS", 10 * CUSTOMERS, 1),
        ("CHUNK_CHANGES", 1, CUSTOMERS),
        ("CHUNK_CHANGES", 3, -(-CUSTOMERS // 3)),
        ("CHUNK_CHANGES", 10 * CUSTOMERS, 1),
    ],
)
async def test_a_walk_that_says_or_changes_much_is_committed_in_smaller_transactions(
    bound: str, most: int, transactions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pass 1 says two things of each key and changes it: a transaction ends with the key that makes it enough."""
    monkeypatch.setattr(unit, bound, most)
    bench = Bench()
    steps: list[str] = []
    for number in range(CUSTOMERS):
        bench.add(number, f"c{number:02}")
    await bench.run()
    bench.wide(Multiplied(10), "w1")
    await bench.run(step=steps.append)
    assert steps.count("committed") == transactions

    bench = Bench()
    with_wide(bench)
    await bench.run()
    monkeypatch.undo()
    await same_as_undisturbed(bench, with_wide)


async def test_a_long_walk_lets_other_partitions_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async def turns(stretch: int) -> int:
        """How often something beside the walk could run."""
        monkeypatch.setattr(unit, "STRETCH_KEYS", stretch)
        bench, had = Bench(), 0

        async def beside() -> None:
            nonlocal had
            while True:
                had += 1
                await asyncio.sleep(0)

        with_wide(bench)
        task = asyncio.create_task(beside())
        await bench.run()
        task.cancel()
        return had

    two_walks_of_two_passes = 4
    assert await turns(5) - await turns(1000) == two_walks_of_two_passes * (CUSTOMERS // 5)


@pytest.mark.parametrize("step", ["store", "commit", "committed", "local store"])
async def test_a_death_between_chunks_and_a_new_owner_end_the_same(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit, "CHUNK_KEYS", 5)
    times = 0
    while True:
        times += 1
        bench = Bench()
        with_wide(bench)
        if step == "local store":
            bench.stores["counting", 0] = DyingStore(times)
        hook = dies_at(step, times)
        try:
            await bench.run(step=hook)
        except Death:
            bench.wipe()  # another machine
            await bench.run(fetch_size=lambda: 3)
            await same_as_undisturbed(bench, with_wide)
            continue
        break

    assert times > 20, "every transaction was broken once"


async def test_a_partition_wide_record_that_cannot_be_begun_is_a_dead_letter() -> None:
    bench = Bench()
    bench.add(1)
    bench.wide(Refused(), "r1")
    bench.add(2)
    await bench.run()

    assert bench.totals() == {"c": 3}
    assert b"x" not in bench.local()
    assert values(bench.broker.all(topics.DEAD_LETTERS.name)) == [encode(Refused(), event_id="r1")]


class Flaky:
    """A log that refuses for a while. `after`: the step at which it does."""

    def __init__(self, after: str, times: int, error: Exception) -> None:
        self.after, self.left, self.error = after, times, error

    def __call__(self, step: str) -> None:
        if step == self.after and self.left:
            self.left -= 1
            raise self.error


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "BACKOFF_SECONDS", (0.0,) * len(trying.BACKOFF_SECONDS))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("step", ["send", "store", "commit"])
async def test_a_retryable_error_repeats_the_unit_without_duplicates(step: str) -> None:
    bench = Bench()
    amounts(bench)
    await bench.run(fetch_size=lambda: 5, step=Flaky(step, 3, Unavailable("busy")))

    await same_as_undisturbed(bench, amounts)


@pytest.mark.usefixtures("impatient")
async def test_a_retryable_error_that_does_not_end_is_raised_at_last() -> None:
    bench = Bench()
    amounts(bench)
    with pytest.raises(Unavailable):
        await bench.run(step=Flaky("store", 1000, Unavailable("busy")))

    assert bench.said() == {}


def test_the_waits_together_stay_below_the_rebalance_timeout() -> None:
    assert sum(trying.BACKOFF_SECONDS) < 60


@pytest.mark.parametrize("error", [LoyaltyError("no"), OSError("disk"), RuntimeError("?")])
async def test_any_other_error_is_raised_at_once(error: Exception) -> None:
    bench = Bench()
    amounts(bench)
    flaky = Flaky("store", 1, error)
    with pytest.raises(type(error)):
        await bench.run(step=flaky)

    assert (flaky.left, bench.said(), bench.local()) == (0, {}, {})


async def test_an_error_of_ours_while_applying_is_raised_and_no_record_is_blamed() -> None:
    def fail() -> None:
        raise Unavailable("an agent must not call anybody, but if it does")

    bench = Bench()
    bench.raw(encode(Asked(), "c"))
    agent = Counting()
    agent.when_asked = fail
    with pytest.raises(Unavailable):
        await bench.run(agent=agent)

    assert bench.said() == {}


async def test_units_of_other_partitions_do_not_meet() -> None:
    bench = Bench(partitions=3)
    for partition in range(3):
        for number in range(4):
            bench.broker.append("facts", partition, b"org:c", encode(Added(number + partition), "c"))
    worker = MemoryWorker(bench.broker, [(Counting(), CHANGELOG)], fetch_size=lambda: 3)
    await worker.start()
    await worker.run_until_idle()

    positions = {number: p.position.offset for (_, number), p in worker.partitions.items()}
    assert positions == {0: 3, 1: 3, 2: 3}
    assert len(bench.said(topics.ENTRIES)) == 12
