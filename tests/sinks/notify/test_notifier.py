"""The notifier on a real Kafka, against real receivers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer

from stream.contracts.alerts import replayed
from stream.contracts.deliveries import Delivery
from stream.engine.ports import Input
from stream.engine.publisher import KafkaPublisher
from stream.errors import Fenced
from stream.sinks.notify.asking import Asked, NothingToSend, resend
from stream.sinks.notify.clock import Clock
from tests.sinks.kafka_log import KafkaLog
from tests.sinks.notify.house import house
from tests.sinks.notify.news import AT, DAILY, DAY_MS, ORG, alert_record, completed, failed, opened
from tests.sinks.notify.servers import Answer, Web, web_servers
from tests.sinks.notify.wire import at_work, deliveries, notify_log

REFUSES = "Green Leaf: channel discord refuses messages"
LONG_WINDOW = {"window_seconds": 600}


@pytest.fixture
async def log(kafka: str, topic_prefix: str) -> AsyncIterator[KafkaLog]:
    async with notify_log(kafka, topic_prefix) as log:
        yield log


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with web_servers() as servers:
        yield servers


def alerts(numbers: range, *, run: str | None = DAILY) -> list[Input]:
    return [alert_record(opened(number, difference=-number, run=run), number) for number in numbers]


def titles(web: Web) -> list[str]:
    return [got["body"]["embeds"][0]["title"].replace("\\", "") for got in web.to("discord")]


def stand(found: list[Delivery]) -> Counter[tuple[str, str]]:
    return Counter((each.channel, each.outcome.value) for each in found)


async def test_ten_thousand_discrepancies_of_a_run_are_one_message_per_channel_and_none_after_a_restart(
    log: KafkaLog, web: Web
) -> None:
    settings = house(web, notify=LONG_WINDOW)
    async with at_work(log, settings) as running:
        await log.publish(alerts(range(1, 10_001)))
        await log.publish([completed(review=200)])
        await running.until(lambda: bool(web.to("discord") and web.to("hook") and web.to("heartbeat")))
        await running.idle()
    async with at_work(log, settings) as running:
        await log.publish([completed(f"{ORG}:daily:2", offset=1, at=AT + DAY_MS)])
        await running.until(lambda: len(web.to("heartbeat")) == 2 and len(web.to("hook")) == 2)
        await running.idle()
    assert titles(web) == [
        "Green Leaf: 10,000 new discrepancies",
        "Green Leaf: all is well (245 of 245 balances agree, 1,641 customers)",
    ]
    [big, small] = [got["body"]["data"] for got in web.to("hook")]
    assert (big["count"], len(big["alerts"]), small["count"]) == (10_000, 100, 0)
    assert [row["customer"] for row in big["content"]["worst"]] == [str(n) for n in range(10_000, 9_990, -1)]
    assert big["content"]["link"] == f"https://pages.example/cases?org={ORG}"
    found = await deliveries(log)
    assert stand(found) == {("discord", "delivered"): 2, ("webhook", "delivered"): 2}
    assert max(len(source.ranges) for each in found for source in each.sources) == 1


async def test_a_failing_channel_holds_back_no_other_and_a_refusing_one_pauses_and_says_so(
    log: KafkaLog, web: Web
) -> None:
    wrong = house(web, notify={**LONG_WINDOW, "discord": [{"url": f"{web.address}/discord/wrong"}]})
    async with at_work(log, wrong) as running:
        await log.publish([*alerts(range(1, 4)), failed()])
        await running.until(lambda: len(web.to("hook")) == 2 and any(running.notifier.paused().values()))
        await log.publish([*alerts(range(4, 6), run="r2"), failed("r2", offset=1)])
        await running.until(lambda: len(web.to("hook")) == 3)
        paused = running.notifier.paused()[(ORG, "discord")]
    assert paused is not None
    assert "401: Invalid Webhook Token" in paused
    assert sorted(got["body"]["data"]["title"] for got in web.to("hook")) == [
        "Green Leaf: 2 new discrepancies",
        "Green Leaf: 3 new discrepancies",
        REFUSES,
    ]
    (notice,) = [got["body"] for got in web.to("hook") if got["body"]["data"]["title"] == REFUSES]
    assert notice["type"] == "loyalty.channel"
    assert "401: Invalid Webhook Token" in notice["data"]["content"]["note"]
    first, second = [each for each in await deliveries(log) if each.channel == "discord"]
    assert (first.outcome, first.status, first.attempts) == ("paused", 401, 1)
    assert (second.outcome, second.attempts) == ("pending", 0), "it waits for the channel"
    assert "wrong" not in str(first)

    async with at_work(log, wrong) as running:  # still wrong: it is tried again, and nobody hears of that again
        await running.until(lambda: any(running.notifier.paused().values()))
    assert len(web.to("hook")) == 3

    async with at_work(log, house(web, notify=LONG_WINDOW)) as running:  # the address was corrected
        await running.until(lambda: len(web.to("discord")) == 2)
        await running.idle()
    assert titles(web) == ["Green Leaf: 3 new discrepancies", "Green Leaf: 2 new discrepancies"]
    assert stand(await deliveries(log)) == {("discord", "delivered"): 2, ("webhook", "delivered"): 3}
    assert len(web.to("hook")) == 3, "nobody else hears of it again"


async def test_a_message_that_is_asked_for_again_goes_out_under_the_same_id_and_ends_a_pause(
    log: KafkaLog, web: Web
) -> None:
    web.answers("hook", Answer(410))
    async with at_work(log, house(web, notify=LONG_WINDOW)) as running:
        await log.publish([*alerts(range(1, 2)), failed()])
        await running.until(lambda: running.notifier.paused()[(ORG, "webhook")] is not None)
        [paused] = [each for each in await deliveries(log) if each.channel == "webhook"]
        await running.until(lambda: len(web.to("discord")) == 2)  # the news, and that the webhook refuses it
        async with KafkaPublisher(log.bootstrap, log.prefix, client_id="test") as publisher:

            async def again(message: str, channel: str | None = None) -> list[Asked]:
                return await resend(log.bootstrap, log.prefix, publisher, org=ORG, message=message, channel=channel)

            assert [each.was for each in await again(paused.message, "webhook")] == ["paused"]
            await running.until(lambda: len(web.to("hook")) == 1)
            await running.idle()  # the answer is in the log, too
            assert {each.was for each in await again(paused.message)} == {"delivered"}
            await running.until(lambda: len(web.to("hook")) == 2 and len(web.to("discord")) == 3)
            with pytest.raises(NothingToSend, match="has no message m-0"):
                await again("m-0")
    assert {got["headers"]["webhook-id"] for got in web.to("hook")} == {f"{paused.message}.webhook"}


async def test_an_alert_that_cannot_be_read_is_kept_with_the_reason_and_the_next_ones_are_told(
    log: KafkaLog, web: Web
) -> None:
    good = alerts(range(1, 3))
    key, headers = good[0].key, good[0].headers
    poison = [Input("alerts", 0, 0, key, value, headers) for value in (b"\xff not json", b'{"kind":"new","org":"x"}')]
    settings = house(web, notify=LONG_WINDOW)
    async with at_work(log, settings) as running:
        await log.publish([good[0], *poison, good[1], failed()])
        await running.until(lambda: bool(web.to("discord")))
        await running.idle()
    async with at_work(log, settings) as running:
        await running.idle()
    assert titles(web) == ["Green Leaf: 2 new discrepancies"]
    given_up = [each for each in await deliveries(log) if each.outcome == "given_up"]
    assert Counter(each.channel for each in given_up) == {"discord": 2, "webhook": 2}
    assert all("not an alert that can be read" in (each.reason or "") for each in given_up)


async def test_alerts_that_are_said_again_for_other_readers_are_not_told_again(log: KafkaLog, web: Web) -> None:
    async with at_work(log, house(web, notify=LONG_WINDOW)) as running:
        await log.publish([*alerts(range(1, 3)), failed()])
        await running.until(lambda: len(web.to("discord")) == 1)
        again = [record._replace(headers=tuple(replayed(record.headers))) for record in alerts(range(1, 3))]
        await log.publish([*again, *alerts(range(7, 8), run="r2"), failed("r2", offset=1)])
        await running.until(lambda: len(web.to("discord")) == 2)
    assert titles(web) == ["Green Leaf: 2 new discrepancies", "Green Leaf: 1 new discrepancy"]


async def test_a_run_whose_end_is_visible_before_its_alerts_is_told_with_all_of_them(log: KafkaLog, web: Web) -> None:
    slow = AIOKafkaProducer(bootstrap_servers=log.bootstrap, transactional_id=f"{log.prefix}slow")
    await slow.start()
    async with at_work(log, house(web, notify=LONG_WINDOW)) as running:
        await slow.begin_transaction()
        for record in alerts(range(1, 21)):
            await slow.send_and_wait(log.prefix + "alerts", record.value, record.key, headers=list(record.headers))
        await log.publish([completed(review=20)])
        await running.until(lambda: bool(web.to("heartbeat")))
        assert web.to("discord") == []
        await slow.commit_transaction()
        await running.until(lambda: bool(web.to("discord")))
        await running.idle()
    await slow.stop()
    assert titles(web) == ["Green Leaf: 20 new discrepancies"]


async def test_who_begins_to_listen_hears_of_the_last_day_only(log: KafkaLog, web: Web) -> None:
    await log.publish([*alerts(range(1, 3)), failed()])
    tomorrow = Clock(wall=lambda: time.time() + 86_400 + 60)
    async with at_work(log, house(web, notify=LONG_WINDOW), clock=tomorrow) as running:
        await log.publish([*alerts(range(7, 8), run="r2"), failed("r2", offset=1)])
        await running.until(lambda: bool(web.to("discord")))
        await running.idle()
    assert titles(web) == ["Green Leaf: 1 new discrepancy"]


async def test_a_second_notifier_of_the_same_name_takes_over_and_the_first_sends_nothing_more(
    log: KafkaLog, web: Web
) -> None:
    settings = house(web, notify=LONG_WINDOW)
    async with at_work(log, settings) as first:
        await log.publish([*alerts(range(1, 3)), failed()])
        await first.until(lambda: len(web.to("discord")) == 1)
        await first.idle()
        async with at_work(log, settings) as second:
            await log.publish([*alerts(range(3, 4), run="r2"), failed("r2", offset=1)])
            await second.until(lambda: len(web.to("discord")) == 2)
            with pytest.raises(Fenced, match="another notifier has taken over"):
                await first.until(lambda: False)
    assert titles(web) == ["Green Leaf: 2 new discrepancies", "Green Leaf: 1 new discrepancy"]
