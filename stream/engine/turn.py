"""What an agent sees while it applies one event: state to read and write, and outputs to emit.

All of it is staged: the unit merges a record's writes and outputs only when the record succeeded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from stream.contracts.topics import Topic
from stream.engine.ports import Headers, Output
from stream.engine.state import State
from stream.errors import BadRecord

RECORD_OVERHEAD = 512
"""Bytes a record may need beside key, value and headers, in a batch of its own."""
SURELY_SMALL = 64 << 10
"""A value up to this needs no closer look: every topic allows far more."""


Latest = tuple[Callable[..., bytes], tuple[object, ...]]


class Place(NamedTuple):
    """Where a unit runs. `partitions` is the same for all topics of an installation."""

    agent: str
    source: str
    partition: int
    partitions: int
    epoch: int


class Turn:
    """One record's turn. `version` is (epoch, source offset): what outputs are ordered by."""

    def __init__(self, state: State, place: Place) -> None:
        self.state = state
        self.place = place
        self.source = f"{place.agent}/{place.partition}"
        """What this agent's partition signs its events with."""
        self.offset = -1
        self.written_at = 0
        """When the record at hand was written to the log (UTC ms): part of the log, so a replay sees the same."""
        self._outputs: list[Output] = []
        self._latest: dict[tuple[str, bytes], Latest] = {}
        self._staged: list[Output] = []
        self._staged_latest: dict[tuple[str, bytes], Latest] = {}

    @property
    def version(self) -> tuple[int, int]:
        """(epoch, source offset) of the record at hand."""
        return self.place.epoch, self.offset

    def output_id(self, topic: Topic, customer: str, kind: str) -> str:
        """The deterministic id of an output: the same whenever the same record is applied again."""
        place = self.place
        return f"{topic.name}-{place.epoch}-{place.partition}-{self.offset}-{customer}-{kind}"

    def emit(self, topic: Topic, key: bytes, value: bytes, headers: Headers = ()) -> None:
        """Add a record to a topic, partitioned by its key.

        Raises `BadRecord` when it is larger than the topic allows: that is found before anything is sent.
        """
        self._staged.append(self._checked(topic, Output(topic.name, key, value, headers)))

    def emit_here(self, topic: Topic, key: bytes, value: bytes, headers: Headers = ()) -> None:
        """As `emit`, for a key that is the source record's own: it belongs into the same partition."""
        self._staged.append(self._checked(topic, Output(topic.name, key, value, headers, self.place.partition)))

    def emit_into(self, topic: Topic, partition: int, key: bytes, value: bytes) -> None:
        """Add a record to one given partition."""
        self._staged.append(self._checked(topic, Output(topic.name, key, value, (), partition)))

    def emit_everywhere(self, topic: Topic, key: bytes, value: bytes) -> None:
        """Add a record to every partition of a topic."""
        for partition in range(self.place.partitions):
            self.emit_into(topic, partition, key, value)

    def emit_latest(self, topic: Topic, key: bytes, make: Callable[..., bytes], *what: object) -> None:
        """Emit what `make(*what)` returns at the end of the unit, once per key: a later call replaces an earlier one.

        Only for complete, versioned records whose key is the source record's own (profiles).
        """
        self._staged_latest[topic.name, key] = make, what

    def keep(self) -> None:
        """The record succeeded."""
        self.state.keep()
        if self._staged:
            self._outputs += self._staged
            self._staged.clear()
        if self._staged_latest:
            self._latest.update(self._staged_latest)
            self._staged_latest.clear()

    def drop(self) -> None:
        """The record failed."""
        self.state.drop()
        self._staged.clear()
        self._staged_latest.clear()

    def take_outputs(self) -> list[Output]:
        """All outputs of the unit. They are let go of here: what makes them refers to this turn, and a cycle would
        keep the whole unit until the collector comes by."""
        here, outputs, latest = self.place.partition, self._outputs, self._latest
        self._outputs, self._latest = [], {}
        outputs += [Output(name, key, make(*what), (), here) for (name, key), (make, what) in latest.items()]
        return outputs

    @staticmethod
    def _checked(topic: Topic, output: Output) -> Output:
        if len(output.value or b"") <= SURELY_SMALL:
            return output
        size = len(output.key) + len(output.value or b"") + sum(len(n) + len(v) for n, v in output.headers)
        if size + RECORD_OVERHEAD > topic.max_message_bytes:
            raise BadRecord(f"a record of {size} bytes for {topic.name} is over {topic.max_message_bytes} bytes")
        return output
