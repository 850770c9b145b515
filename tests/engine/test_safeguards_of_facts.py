"""What the real agents rely on: settings are checked twice, each fact counts once, a dead letter is never too large."""

from __future__ import annotations

import random
import string
from decimal import Decimal

import pytest
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from msgspec.structs import replace

from stream.agents.accounts import agent as accounts_agent
from stream.agents.runs import agent as runs_agent
from stream.contracts import dead_letters
from stream.contracts.facts import FACTS as FACTS_VOCABULARY
from stream.contracts.facts import BalanceMatched, SettingsChanged
from stream.contracts.settings import Accrual
from stream.contracts.topics import ACCOUNTS_CHANGELOG, DEAD_LETTERS, FACTS
from stream.engine.faust.log import KafkaLog
from stream.engine.memory.log import MemoryStore
from stream.engine.ports import Input, Output
from stream.engine.publisher import KafkaPublisher
from stream.engine.topics_admin import apply_topics
from stream.engine.turn import Place
from stream.engine.unit import Partition
from stream.errors import BadRecord, LoyaltyError
from stream.loyalty import balances, rules
from stream.loyalty.account import Account
from stream.loyalty.accrual import observe_order
from tests.agents.builders import NOW, Shop, code, settings
from tests.engine.counting import Asked, Counting, encode
from tests.engine.running import Reader
from tests.engine.safeguarding import Patch, Safeguard, each

IMPOSSIBLE = settings(accruals=(Accrual(Decimal(-1)),))


# Settings are validated before they are published, and again on receipt, by the record alone.


async def impossible_settings_are_asked_for() -> None:
    shop = await Shop().open()
    shop.change_settings(IMPOSSIBLE)
    await shop.settle()
    assert [changed.version for changed in shop.facts("SettingsChanged")] == [1] * shop.partitions
    assert "points_per_dollar" in shop.dead_letters()[0]


def published_unchecked(patch: Patch) -> None:
    patch.setattr(runs_agent, "check_settings", lambda settings: None)


async def impossible_settings_arrive() -> None:
    """From a producer of another version, or by hand. The old ones stay, and the org goes on with them."""
    shop = await Shop().open()
    shop.observe_order("ada", "1", 10_000)
    changed = SettingsChanged(2, IMPOSSIBLE)
    shop.publish(shop.everywhere(FACTS_VOCABULARY, "facts", changed, "shop:settings:2"))
    shop.observe_order("ada", "2", 5_000)
    await shop.settle()
    assert shop.points() == {"ada": 150}
    assert len(shop.dead_letters()) == shop.partitions
    assert shop.worker.stopped == {}


def taken_unchecked(patch: Patch) -> None:
    patch.setattr(rules, "validate", lambda settings: None)


# Each fact once: an account keeps the highest observation per source.


async def an_answer_arrives_again() -> None:
    """Contacts said it before a crash that took its tail, and says it again; meanwhile a newer one was taken."""
    shop = await Shop().open()
    shop.enrol("ada", 10_000)
    await shop.settle()
    (linked,) = shop.identities("ContactLinked")
    for observation, points in (((0, 3), 90), ((0, 5), 100), ((0, 3), 90)):
        answer = BalanceMatched(code("ada"), linked.link_version, observation, "contact", points, NOW)
        shop.tell("ada", answer)
    await shop.settle()
    assert [profile.points_from_alpine for profile in shop.told_profiles("ada")][-1] == 100


def every_answer_is_taken(patch: Patch) -> None:
    def forgetful(account: Account, fact: balances.BalanceFact) -> Account | None:
        links = {identity: replace(link, taken=None) for identity, link in account.links.items()}
        return balances.take_balance(replace(account, links=links), fact)

    patch.setattr(accounts_agent, "take_balance", forgetful)


async def an_order_arrives_again() -> None:
    """A poller that was killed before its cursor was written reads its window again."""
    shop = await Shop().open()
    first = shop.observe_order("ada", "1", 10_000)
    shop.observe_order("ada", "1", 5_000)
    shop.tell("ada", first)
    await shop.settle()
    assert shop.points() == {"ada": 50}


def every_order_is_taken(patch: Patch) -> None:
    def forgetful(account, line, fact, rules):  # type: ignore[no-untyped-def]
        return observe_order(account, None if line is None else replace(line, observed_at=-1), fact, rules)

    patch.setattr(accounts_agent, "observe_order", forgetful)


every_safeguard = each(
    Safeguard("settings are checked before they are published", impossible_settings_are_asked_for, published_unchecked),
    Safeguard("settings are checked again on receipt", impossible_settings_arrive, taken_unchecked),
    Safeguard("each answer is taken once", an_answer_arrives_again, every_answer_is_taken),
    Safeguard("the newest observation of an order wins", an_order_arrives_again, every_order_is_taken),
)


@every_safeguard
async def test_a_safeguard_holds(safeguard: Safeguard) -> None:
    await safeguard.holds()


@every_safeguard
async def test_a_safeguard_is_missed_when_it_is_taken_out(safeguard: Safeguard, monkeypatch: Patch) -> None:
    await safeguard.is_missed(monkeypatch)


# `dead-letters` allows larger messages than any source.


def largest_source_record() -> Output:
    """As large as its topic allows, with its headers; nothing in it can be compressed."""
    draw = random.Random(1)
    headers = (("trace", b"7" * 1000),)
    smallest = encode(Asked(), "c")[:-1] + b',"pad":"'
    taken = DefaultRecordBatchBuilder.estimate_size_in_bytes(b"org:c", smallest, list(headers))
    room = FACTS.max_message_bytes - taken - 512  # the broker counts what compression adds
    pad = "".join(draw.choices(string.ascii_letters + string.digits, k=room)).encode()
    return Output(FACTS.name, b"org:c", smallest + pad + b'"}', headers)


async def give_up_the_largest(kafka: str, prefix: str) -> None:
    """It is given up with the longest reason there is: it must find room, as it was."""

    def refuse() -> None:
        raise BadRecord("€" * 5000)

    agent, source = Counting(), largest_source_record()
    agent.when_asked = refuse
    await apply_topics(kafka, prefix, 1, 1)
    async with KafkaPublisher(kafka, prefix, client_id="test") as publisher:
        await publisher.publish([source])
    log = KafkaLog(kafka, prefix, agent.name, prefix + ACCOUNTS_CHANGELOG.name, 0, 1)
    await log.open()
    try:
        partition = Partition(Place(agent.name, FACTS.name, 0, 1, 0), MemoryStore(), log)
        await partition.commit(agent, [Input(FACTS.name, 0, 0, source.key, source.value, source.headers)])
    except (KafkaError, LoyaltyError) as error:
        raise AssertionError("the dead letter does not fit, and the worker cannot go on") from error
    finally:
        await log.close()
    async with Reader(kafka, prefix, 1) as reader:
        (letter,) = await reader.everything(DEAD_LETTERS)
    headers = dict(letter.headers)
    assert (letter.value, headers["trace"]) == (source.value, b"7" * 1000)
    assert len(headers[dead_letters.REASON].decode()) == 1000


async def test_the_largest_record_of_a_source_finds_room_among_the_dead_letters(kafka: str, topic_prefix: str) -> None:
    await give_up_the_largest(kafka, topic_prefix)


async def test_that_room_is_missed_when_it_is_taken_out(kafka: str, topic_prefix: str, monkeypatch: Patch) -> None:
    monkeypatch.setitem(vars(DEAD_LETTERS), "max_message_bytes", FACTS.max_message_bytes)
    with pytest.raises(AssertionError, match="does not fit"):
        await give_up_the_largest(kafka, topic_prefix)
