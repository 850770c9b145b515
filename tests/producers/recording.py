"""A publisher that remembers what it was given, instead of a broker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stream.contracts import topics
from stream.contracts.envelope import Event
from stream.contracts.facts import FACTS
from stream.contracts.people import PEOPLE
from stream.engine.ports import Output
from stream.errors import Unreachable

VOCABULARIES = {topics.FACTS.name: FACTS, topics.PEOPLE.name: PEOPLE}


class RecordingPublisher:
    """`outputs` in order of publishing, `everywhere` those for every partition; `down` makes it fail."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self.everywhere: list[Output] = []
        self.down = False

    async def publish(self, outputs: Iterable[Output]) -> None:
        if self.down:
            raise Unreachable("the broker stays away")
        self.outputs += outputs

    async def publish_everywhere(self, output: Output) -> None:
        if self.down:
            raise Unreachable("the broker stays away")
        self.everywhere.append(output)

    def events(self, body: type, topic: str = topics.FACTS.name) -> list[Event[Any]]:
        """The events of one kind, decoded."""
        decode = VOCABULARIES[topic].decode
        events = [decode(output.value) for output in self.outputs if output.topic == topic and output.value]
        return [event for event in events if isinstance(event.data, body)]

    def bodies(self, body: type, topic: str = topics.FACTS.name) -> list[Any]:
        return [event.data for event in self.events(body, topic)]

    def of_topic(self, topic: str) -> list[Output]:
        return [output for output in self.outputs if output.topic == topic]

    def forget(self) -> None:
        self.outputs.clear()
        self.everywhere.clear()
