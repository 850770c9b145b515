"""A channel that refuses messages says so where people still read: in the org's other channels. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stream.contracts.deliveries import Content, Delivery, MessageKind, Outcome
from stream.sinks.notify.audience import Audience, Listener
from stream.sinks.notify.content import identifier
from stream.sinks.notify.delivery_reader import Entry


class Pauses:
    """`told`: the messages there are. A pause is told once, however often the refused message is tried again."""

    def __init__(self, audiences: Sequence[Audience], told: Iterable[Entry]) -> None:
        self._audiences = {audience.org: audience for audience in audiences}
        self._told = {
            (org, delivery.message, delivery.channel) for org, delivery in told if delivery.kind is MessageKind.CHANNEL
        }

    def news_of(self, org: str, refused: Delivery, at: int) -> list[Entry]:
        """What the org's other channels are to hear when one has paused with the message `refused`; at `at`, UTC ms."""
        audience = self._audiences[org]
        message = identifier(org, refused.channel, refused.message)
        news = [
            Entry(org, _notice(audience, listener, message, refused, at))
            for listener in audience.listeners
            if listener.channel.name != refused.channel and (org, message, listener.channel.name) not in self._told
        ]
        self._told |= {(org, message, each.delivery.channel) for each in news}
        return news


def _notice(audience: Audience, listener: Listener, message: str, refused: Delivery, at: int) -> Delivery:
    """Nobody is disturbed for it in quiet hours."""
    quiet_until, why = listener.route.quiet_until(at), refused.reason or "it takes no messages."
    return Delivery(
        message=message,
        kind=MessageKind.CHANNEL,
        channel=listener.channel.name,
        outcome=Outcome.PENDING,
        title=f"{audience.name}: channel {refused.channel} refuses messages",
        made_at=at,
        next_at=quiet_until if quiet_until > at else None,
        content=Content(
            name=audience.name,
            note=f"{why[:1].upper()}{why[1:]} What it was to tell waits until then.",
            time_zone=audience.zone,
        ),
    )
