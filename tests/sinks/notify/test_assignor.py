"""Who is on duty."""

from __future__ import annotations

from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor

from stream.sinks.notify.assignor import OneOnDuty


class Cluster:
    """As much of aiokafka's as an assignor asks."""

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {"p.alerts": {2, 0, 1}, "p.runs": {0}}.get(topic)


def test_one_member_gets_everything_and_the_others_stand_by() -> None:
    said = OneOnDuty.metadata(["p.alerts", "p.runs"])
    members = dict.fromkeys(("2-uuid", "1-uuid", "3-uuid"), said)
    assigned = {name: each.assignment for name, each in OneOnDuty.assign(Cluster(), members).items()}
    assert assigned == {"1-uuid": [("p.alerts", [0, 1, 2]), ("p.runs", [0])], "2-uuid": [], "3-uuid": []}
    assert issubclass(OneOnDuty, AbstractPartitionAssignor)
