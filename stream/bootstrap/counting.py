"""A producer's publisher that counts what Kafka has acknowledged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from stream.contracts import topics
from stream.contracts.names import OrgId
from stream.engine.ports import Output, Publisher
from stream.ops.metrics import Metrics

FACTS = (topics.FACTS.name, topics.IDENTITIES.name)


class Counted:
    """Facts by org and `source` (which producer it is), dead letters by the same name as their stage."""

    def __init__(self, publisher: Publisher, metrics: Metrics, org: OrgId, source: str) -> None:
        self._publisher = publisher
        self._facts = metrics.facts_published.labels(org, source)
        self._given_up = metrics.dead_letters.labels(source)

    async def publish(self, outputs: Iterable[Output]) -> None:
        """See `Publisher`."""
        records = list(outputs)
        await self._publisher.publish(records)
        self._count(Counter(record.topic for record in records))

    async def publish_everywhere(self, output: Output) -> None:
        """See `Publisher`. Counts as one."""
        await self._publisher.publish_everywhere(output)
        self._count({output.topic: 1})

    def _count(self, by_topic: Mapping[str, int]) -> None:
        self._facts.inc(sum(by_topic.get(topic, 0) for topic in FACTS))
        self._given_up.inc(by_topic.get(topics.DEAD_LETTERS.name, 0))
