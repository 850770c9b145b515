"""From records to messages: every org's desks, the runs that have ended, and how far reading must go back. Pure but for
the clock that it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from stream.contracts import topics
from stream.contracts.deliveries import Delivery, MessageKind, Outcome, Source
from stream.engine.ports import Input
from stream.errors import BadRecord
from stream.sinks.notify.audience import Audience
from stream.sinks.notify.clock import Clock
from stream.sinks.notify.content import content_of, delivery_of, identifier
from stream.sinks.notify.delivery_reader import Entry
from stream.sinks.notify.diary import Diary
from stream.sinks.notify.gathering import Desk, Group
from stream.sinks.notify.heartbeat import NAME as HEARTBEAT
from stream.sinks.notify.items import Item, RunEnded, alert_item, org_of, place_of, run_ended
from stream.sinks.notify.ranges import Taken
from stream.sinks.reading import Place, Positions

log = structlog.get_logger(__name__)

Clean = Callable[[str], str]


@dataclass
class _Ending:
    """A run that is over. `alerts_end`: how far `alerts` must be read to have all of the run's; None: not known yet."""

    org: str
    run: str
    alerts_end: Positions | None = None


class Newsroom:
    """Makes messages. `told`: the messages there are already; `positions`: where reading begins; `backlog`: where the
    log ended when it began. No group is closed by time before all of that has been read: a group that a restart cut
    in two comes together again."""

    def __init__(
        self,
        audiences: Sequence[Audience],
        told: Iterable[Entry],
        positions: Positions,
        backlog: Positions,
        clean: Clean,
        clock: Clock,
    ) -> None:
        self._audiences = {audience.org: audience for audience in audiences}
        self._clean = clean
        self._clock = clock
        self._positions = dict(positions)
        self._backlog = dict(backlog)
        self._endings: list[_Ending] = []
        self._made: list[Entry] = []
        told = list(told)
        self._diary = Diary(told, {audience.org: audience.zone for audience in audiences})
        taken = _taken(told, self._backlog)
        self._desks = {
            audience.org: {
                each.channel.name: Desk(
                    each.route, audience.window_seconds, taken.get((audience.org, each.channel.name), Taken())
                )
                for each in audience.listeners
            }
            for audience in audiences
        }
        self._heard = {org: taken.get((org, HEARTBEAT), Taken()) for org in self._audiences}

    def take(self, records: Iterable[Input], positions: Positions) -> None:
        """What was read, and how far that is. A record that cannot be understood holds up no other."""
        for record in records:
            org = org_of(record)
            if org not in self._audiences:
                continue
            try:
                self._take(record, org)
            except Exception as error:
                self._give_up(record, org, error)
        self._positions |= positions

    def endings_without_place(self) -> list[_Ending]:
        """Runs that have ended and of which it must be asked how far `alerts` go by now."""
        return [ending for ending in self._endings if ending.alerts_end is None]

    def messages(self) -> list[Entry]:
        """The messages that are due now, each once."""
        now = self._clock.monotonic()
        self._close_runs(now)
        made, self._made = self._made, []
        if not self._reached(self._backlog):
            return made
        at = self._clock.millis()
        for audience in self._audiences.values():
            for listener in audience.listeners:
                desk = self._desks[audience.org][listener.channel.name]
                for group in desk.due(now, quiet=listener.route.quiet(at)):
                    if self._diary.is_news(audience.org, listener.channel.name, group):
                        made.append(Entry(audience.org, self._message(audience, listener.channel.name, group)))
        return made

    def offsets(self) -> Positions:
        """Where reading may begin after a restart: what lies before is in a message, or in none for good."""
        safe = dict(self._positions)
        for desks in self._desks.values():
            for desk in desks.values():
                for place, offset in desk.needs().items():
                    safe[place] = min(offset, safe.get(place, offset))
        return safe

    def caught_up(self) -> bool:
        """Whether all has been read that there was at the start."""
        return self._reached(self._backlog)

    def _take(self, record: Input, org: str) -> None:
        now = self._clock.monotonic()
        if record.topic == topics.ALERTS.name:
            item = alert_item(record)
            if item is not None:
                self._spread(item, org, now)
            return
        ended = run_ended(record)
        if ended is None:
            return
        self._endings.append(_Ending(org, ended.run))
        if ended.good and ended.item is not None:
            self._heartbeat(ended, ended.item)
            if ended.digest:
                self._spread(ended.item, org, now)

    def _spread(self, item: Item, org: str, now: float) -> None:
        if item.org != org:
            raise BadRecord("the record's key names another org than the alert")
        content_of([item], name=org, link=None, note=None, clean=self._clean)  # whatever it cannot say, it cannot take
        for desk in self._desks[org].values():
            desk.take(item, now)

    def _close_runs(self, now: float) -> None:
        for ending in [each for each in self._endings if each.alerts_end is not None]:
            if self._reached(ending.alerts_end or {}):
                self._endings.remove(ending)
                for desk in self._desks[ending.org].values():
                    desk.run_ended(ending.run, now)

    def _reached(self, ends: Mapping[Place, int]) -> bool:
        return all(self._positions.get(place, 0) >= end for place, end in ends.items())

    def _message(self, audience: Audience, channel: str, group: Group) -> Delivery:
        at = self._clock.millis()
        try:
            return delivery_of(
                group,
                org=audience.org,
                channel=channel,
                name=audience.name,
                link=audience.link(),
                at=at,
                clean=self._clean,
                zone=audience.zone,
            )
        except Exception as error:  # never seen: each alert was put into words by itself before
            log.exception("notify: a group could not be put into words", org=audience.org, channel=channel)
            return _given_up(audience.org, channel, group.records.sources(), str(error), at)

    def _heartbeat(self, ended: RunEnded, item: Item) -> None:
        audience = self._audiences[ended.org]
        if audience.heartbeat is None or self._heard[ended.org].holds(item.place, item.offset):
            return
        delivery = Delivery(
            message=identifier(ended.org, HEARTBEAT, ended.run, str(item.at)),
            kind=MessageKind.HEARTBEAT,
            channel=HEARTBEAT,
            outcome=Outcome.PENDING,
            title=f"{audience.name}: {ended.run} has a result",
            run=ended.run,
            made_at=self._clock.millis(),
            sources=(_source(item.place, item.offset),),
        )
        self._made.append(Entry(ended.org, delivery))

    def _give_up(self, record: Input, org: str, error: Exception) -> None:
        """Keep what cannot be told, with the reason, for every channel that might have been."""
        where = f"{record.topic}/{record.partition}/{record.offset}"
        reason = self._clean(f"{where}: {str(error) or type(error).__name__}")[:300]
        log.error("notify: a record cannot be put into words", org=org, record=where, reason=reason)
        if record.topic != topics.ALERTS.name:
            return
        place = place_of(record)
        for channel, desk in self._desks[org].items():
            if not desk.has(place, record.offset):
                sources = (_source(place, record.offset),)
                self._made.append(Entry(org, _given_up(org, channel, sources, reason, self._clock.millis())))


def _source(place: Place, offset: int) -> Source:
    return Source(place.topic, place.partition, ((offset, offset),))


def _given_up(org: str, channel: str, sources: tuple[Source, ...], reason: str, at: int) -> Delivery:
    first = sources[0]
    return Delivery(
        message=identifier(org, first.topic, str(first.partition), str(first.ranges[0][0])),
        kind=MessageKind.ALERTS,
        channel=channel,
        outcome=Outcome.GIVEN_UP,
        title=f"{org}: an alert that cannot be put into words",
        count=1,
        made_at=at,
        reason=reason,
        sources=sources,
    )


def _taken(told: Iterable[Entry], ends: Positions) -> dict[tuple[str, str], Taken]:
    sources: dict[tuple[str, str], list[Source]] = {}
    for org, delivery in told:
        sources.setdefault((org, delivery.channel), []).extend(delivery.sources)
    return {key: Taken(found, ends) for key, found in sources.items()}
