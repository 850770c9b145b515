"""The log is the truth: applied again, however it is fetched and whatever dies, it gives the same.

The logs are those of a busy shop (orders, edits, moves, identities, balances, runs, settings, look-ups, repeats).
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import NamedTuple

import pytest

from stream.agents.accounts import Accounts
from stream.agents.contacts import Contacts
from stream.contracts import topics
from stream.contracts.profiles import PROFILES
from stream.contracts.topics import Topic
from stream.engine import unit
from stream.engine.agent import Agent
from stream.engine.memory.log import MemoryBroker, MemoryStore
from stream.engine.memory.worker import MemoryWorker
from tests.agents.builders import copy_log
from tests.agents.bustle import PARTITIONS, Bustle

LOGS = range(4)
REPLAYS = range(6)


class Replayed(NamedTuple):
    """An agent with its changelog. `compacted`: outputs of which only the last one per key must be the same."""

    agent: type[Agent]
    changelog: Topic
    outputs: tuple[Topic, ...]
    compacted: tuple[Topic, ...] = ()


ACCOUNTS = Replayed(
    Accounts,
    topics.ACCOUNTS_CHANGELOG,
    (topics.ENTRIES, topics.CASES, topics.ALERTS, topics.IDENTITIES, topics.RUNS, topics.COMMANDS, topics.DEAD_LETTERS),
    (topics.PROFILES,),
)
CONTACTS = Replayed(Contacts, topics.CONTACTS_CHANGELOG, (topics.FACTS, topics.DEAD_LETTERS))


class Death(BaseException):
    """The process is gone."""


class Result(NamedTuple):
    """What must be the same. `outputs`: multiset of topic, partition, key, value, headers."""

    state: list[dict[bytes, bytes]]
    outputs: Counter[tuple[object, ...]]
    last: dict[tuple[object, ...], bytes | None]


def only(broker: MemoryBroker, topic: Topic) -> MemoryBroker:
    """A broker with one topic, every record and every gap where it was."""
    copy = MemoryBroker(broker.partitions)
    copy_log(broker, copy, topic.name)
    return copy


def result(broker: MemoryBroker, stores: dict[tuple[str, int], MemoryStore], replayed: Replayed) -> Result:
    return Result(
        [stores[replayed.agent.name, partition].data for partition in range(broker.partitions)],
        Counter((t.name, r.partition, r.key, r.value, r.headers) for t in replayed.outputs for r in broker.all(t.name)),
        {(t.name, r.partition, r.key): r.value for t in replayed.compacted for r in broker.all(t.name)},
    )


async def replay(broker: MemoryBroker, replayed: Replayed, draw: Random | None) -> Result:
    """Apply a log from its beginning; with `draw` in random fetches, with random deaths and lost disks."""
    broker = only(broker, replayed.agent.source)
    stores: dict[tuple[str, int], MemoryStore] = {}
    while True:
        worker = MemoryWorker(
            broker,
            [(replayed.agent(), replayed.changelog)],
            stores=stores,
            fetch_size=(lambda: 10**6) if draw is None else lambda: draw.choice((1, 2, 3, 7, 20, 100)),
            step=lambda step: _maybe_die(draw),
        )
        try:
            await worker.start()
            await worker.run_until_idle()
        except Death:
            if draw is not None and draw.random() < 0.3:
                stores.clear()
            continue
        assert worker.stopped == {}
        return result(broker, stores, replayed)


def _maybe_die(draw: Random | None) -> None:
    if draw is not None and draw.random() < 0.02:
        raise Death


@pytest.fixture(scope="module")
def busy() -> dict[int, Bustle]:
    """Bustles that have ended, by seed."""
    return {}


async def bustle(seed: int, busy: dict[int, Bustle]) -> Bustle:
    if seed not in busy:
        busy[seed] = made = Bustle(Random(seed), changes=True)
        await made.open()
        await made.bustle(1500)
        await made.quiet_run()
    return busy[seed]


@pytest.mark.parametrize("replayed", [ACCOUNTS, CONTACTS], ids=["accounts", "contacts"])
@pytest.mark.parametrize("log", LOGS)
async def test_a_replay_with_other_fetches_and_deaths_gives_the_same(
    log: int, replayed: Replayed, busy: dict[int, Bustle], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = (await bustle(log, busy)).shop.broker
    calm = await replay(broker, replayed, None)
    assert calm.outputs.total() > 50, "the log is worth it"
    assert any(state for state in calm.state)
    for seed in REPLAYS:
        draw = Random(seed)
        monkeypatch.setattr(unit, "CHUNK_KEYS", draw.choice((1, 2, 5, 4000)))
        again = await replay(broker, replayed, draw)
        assert again.state == calm.state
        assert again.outputs == calm.outputs
        assert again.last == calm.last


@pytest.mark.parametrize("log", LOGS)
async def test_a_replay_gives_what_the_live_system_had(log: int, busy: dict[int, Bustle]) -> None:
    shop = (await bustle(log, busy)).shop
    again = await replay(shop.broker, ACCOUNTS, None)
    live = result(shop.broker, shop.worker.stores, ACCOUNTS)

    assert again.state == live.state
    assert again.last == live.last
    for topic in (topics.ENTRIES, topics.CASES, topics.ALERTS):
        assert _of(again.outputs, topic) == _of(live.outputs, topic)


def _of(outputs: Counter[tuple[object, ...]], topic: Topic) -> Counter[tuple[object, ...]]:
    return Counter({output: count for output, count in outputs.items() if output[0] == topic.name})


async def test_versions_of_a_profile_only_rise_however_it_was_fetched(busy: dict[int, Bustle]) -> None:
    broker = only((await bustle(0, busy)).shop.broker, topics.FACTS)
    worker = MemoryWorker(broker, [(Accounts(), topics.ACCOUNTS_CHANGELOG)], fetch_size=lambda: 3)
    await worker.start()
    await worker.run_until_idle()

    versions: dict[bytes | None, list[tuple[int, int]]] = {}
    for record in broker.all(topics.PROFILES.name):
        profile = PROFILES.decode(record.value or b"").data
        versions.setdefault(record.key, []).append((profile.epoch, profile.version))
    assert len(versions) >= 8
    assert all(seen == sorted(set(seen)) for seen in versions.values())
    assert worker.partitions.keys() == {("accounts", partition) for partition in range(PARTITIONS)}
