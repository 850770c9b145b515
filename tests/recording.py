"""A publisher that remembers: for tests of those who publish."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stream.contracts.commands import COMMANDS
from stream.contracts.cursors import CURSORS
from stream.contracts.envelope import Event, Vocabulary
from stream.contracts.facts import FACTS
from stream.contracts.identities import IDENTITIES
from stream.contracts.people import PEOPLE
from stream.contracts.runs import RUNS
from stream.contracts.settings import SETTINGS
from stream.engine.partitioning import murmur2_partition
from stream.engine.ports import Output
from stream.errors import LoyaltyError

VOCABULARIES: dict[str, Vocabulary] = {
    "commands": COMMANDS,
    "cursors": CURSORS,
    "facts": FACTS,
    "identities": IDENTITIES,
    "people": PEOPLE,
    "runs": RUNS,
    "settings": SETTINGS,
}


class RecordingPublisher:
    """`records`: everything acknowledged, in order, with its partition. `failures`: raised first, one a call."""

    def __init__(self, partitions: int = 4, failures: Iterable[LoyaltyError] = ()) -> None:
        self.partitions = partitions
        self.records: list[Output] = []
        self.failures = list(failures)

    async def publish(self, outputs: Iterable[Output]) -> None:
        records = [self._placed(output) for output in outputs]
        if self.failures:
            raise self.failures.pop(0)
        self.records += records

    async def publish_everywhere(self, output: Output) -> None:
        await self.publish(output._replace(partition=partition) for partition in range(self.partitions))

    async def partitions_of(self, topic: str) -> int:
        return self.partitions

    def of(self, topic: str) -> list[Output]:
        """What was written to a topic."""
        return [record for record in self.records if record.topic == topic]

    def events(self, topic: str) -> list[Event[Any]]:
        """What was written to a topic, decoded; a partition-wide event as often as there are partitions."""
        return [VOCABULARIES[topic].decode(record.value or b"") for record in self.of(topic)]

    def bodies(self, topic: str) -> list[Any]:
        """The contents of `events`."""
        return [event.data for event in self.events(topic)]

    def _placed(self, output: Output) -> Output:
        if output.partition is not None:
            return output
        return output._replace(partition=murmur2_partition(output.key, self.partitions))
