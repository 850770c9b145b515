"""What producers have published is counted when Kafka has it."""

from __future__ import annotations

import pytest

from stream.bootstrap.counting import Counted
from stream.contracts.names import OrgId
from stream.engine.ports import Output
from stream.errors import Unreachable
from stream.ops.metrics import Metrics


class Log:
    """Takes what it is given, unless it is away."""

    def __init__(self) -> None:
        self.away = False
        self.topics: list[str] = []

    async def publish(self, outputs: object) -> None:
        if self.away:
            raise Unreachable("away")
        self.topics += [each.topic for each in outputs]  # type: ignore[attr-defined]  # any iterable of Output

    async def publish_everywhere(self, output: Output) -> None:
        await self.publish([output])


def shown(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


async def test_facts_and_dead_letters_count_when_they_are_acknowledged_and_nothing_else_does() -> None:
    log, metrics = Log(), Metrics()
    walk = Counted(log, metrics, OrgId("o"), "walk")
    assert shown(metrics, "loyalty_facts_published_total", org="o", source="walk") == 0
    await walk.publish(
        Output(topic, b"k", b"v") for topic in ("facts", "people", "facts", "identities", "dead-letters")
    )
    await walk.publish_everywhere(Output("facts", b"k", b"v"))
    log.away = True
    with pytest.raises(Unreachable):
        await walk.publish([Output("facts", b"k", b"v"), Output("dead-letters", b"k", b"v")])
    assert shown(metrics, "loyalty_facts_published_total", org="o", source="walk") == 4
    assert shown(metrics, "loyalty_dead_letters_total", stage="walk") == 1
    assert log.topics == ["facts", "people", "facts", "identities", "dead-letters", "facts"]
