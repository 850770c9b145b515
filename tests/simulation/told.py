"""What the system has said: the records of its topics, decoded."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, TypeVar

from stream.contracts.alerts import Alert, decode_alert
from stream.contracts.cases import CASES, Case
from stream.contracts.entries import ENTRIES, PointsEntry
from stream.contracts.envelope import Event, Vocabulary
from stream.contracts.facts import FACTS, LinksRequested
from stream.contracts.profiles import PROFILES, Profile
from stream.contracts.runs import RUNS
from stream.engine.memory.log import MemoryBroker
from stream.engine.ports import Input

Body = TypeVar("Body")


class Told:
    """Of one log."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    def profiles(self) -> dict[str, Profile]:
        """The last profile of each customer."""
        return {customer: told[-1] for customer, told in self.all_profiles().items()}

    def all_profiles(self) -> dict[str, list[Profile]]:
        """Every profile of each customer, oldest first."""
        return self._by_customer(PROFILES, "profiles")

    def entries(self) -> dict[str, list[PointsEntry]]:
        """The points entries of each customer."""
        return self._by_customer(ENTRIES, "entries")

    def cases(self) -> dict[str, Case]:
        """The last state of each case."""
        return {event.data.id: event.data for event in self._events(CASES, "cases")}

    def alerts(self) -> list[tuple[str, Alert]]:
        """Every alert with its id."""
        return [
            (dict(record.headers)["ce_id"].decode(), decode_alert(record.value or b""))
            for record in self._broker.all("alerts")
        ]

    def runs(self, kind: type[Body]) -> list[Body]:
        """What was said of runs, in order (an org has one partition there)."""
        return [event.data for event in self._events(RUNS, "runs") if isinstance(event.data, kind)]

    def resends(self) -> list[LinksRequested]:
        """Where contacts asked for all links again."""
        requests = (event.data for event in self._events(FACTS, "facts") if isinstance(event.data, LinksRequested))
        return [request for request in requests if request.resend]

    def dead_letters(self) -> list[Input]:
        return self._broker.all("dead-letters")

    def _events(self, vocabulary: Vocabulary, topic: str) -> list[Event[Any]]:
        return [vocabulary.decode(record.value or b"") for record in self._broker.all(topic)]

    def _by_customer(self, vocabulary: Vocabulary, topic: str) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = defaultdict(list)
        for event in self._events(vocabulary, topic):
            found[event.customer].append(event.data)
        return found
