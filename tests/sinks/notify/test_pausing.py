"""A channel that refuses is told of to those who still read."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from stream.contracts.deliveries import MessageKind, Outcome
from stream.sinks.notify.delivery_reader import Entry
from stream.sinks.notify.pausing import Pauses
from tests.sinks.notify.house import audiences, house, message
from tests.sinks.notify.news import ORG
from tests.sinks.notify.test_newsroom import HEARTBEAT, MAIL, mails

NOON, NIGHT = (int(datetime(2026, 1, 30, hour, 30, tzinfo=UTC).timestamp() * 1000) for hour in (17, 4))
REFUSED = replace(message("day"), outcome=Outcome.PAUSED, reason="the mail server answered 535. Correct smtp.password.")
SETTINGS = house(
    smtp=MAIL,
    notify={**mails({"name": "day"}, {"name": "night", "quiet_hours": "22:00-07:00"}), "heartbeat": HEARTBEAT},
)


def pauses(told: list[Entry] | None = None) -> Pauses:
    return Pauses(audiences(SETTINGS), told or [])


def test_the_other_channels_hear_of_it_with_the_reason_and_the_heartbeat_does_not() -> None:
    ((org, notice),) = pauses().news_of(ORG, REFUSED, NOON)
    assert (org, notice.channel, notice.kind, notice.outcome) == (ORG, "night", MessageKind.CHANNEL, Outcome.PENDING)
    assert notice.title == "Green Leaf: channel day refuses messages"
    assert notice.content is not None
    assert (notice.content.note or "").startswith("The mail server answered 535. Correct smtp.password.")
    assert notice.next_at is None


def test_nobody_is_disturbed_for_it_in_quiet_hours() -> None:
    ((_, notice),) = pauses().news_of(ORG, REFUSED, NIGHT)
    assert notice.next_at == NIGHT + int(7.5 * 3_600_000)


def test_it_is_told_once_for_a_message_and_again_when_another_one_is_refused() -> None:
    before = pauses()
    told = before.news_of(ORG, REFUSED, NOON)
    assert before.news_of(ORG, REFUSED, NOON) == []
    after = pauses(told)
    assert after.news_of(ORG, REFUSED, NOON) == []
    assert len(after.news_of(ORG, replace(REFUSED, message="m-2"), NOON)) == 1


def test_a_heartbeat_that_is_refused_is_told_to_all() -> None:
    refused = replace(REFUSED, channel="heartbeat", kind=MessageKind.HEARTBEAT, content=None)
    assert [entry.delivery.channel for entry in pauses().news_of(ORG, refused, NOON)] == ["day", "night"]
