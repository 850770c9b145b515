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
        self._kept = 0
        """Outputs beyond this one are the record's at hand."""
        self._latest: dict[tuple[str, bytes], Latest] = {}
        self._undo: list[tuple[tuple[str, bytes], Latest | None]] = []

    @property
    def version(self) -> tuple[int, int]:
        """(epoch, source offset) of the record at hand."""
        return self.place.epoch, self.offset

    @property
    def staged(self) -> int:
        """How many outputs the unit has by now."""
        return len(self._outputs) + len(self._latest)

    def output_id(self, topic: Topic, customer: str, kind: str) -> str:
        """The deterministic id of an output: the same whenever the same record is applied again."""
        place = self.place
        return f"{topic.name}-{place.epoch}-{place.partition}-{self.offset}-{customer}-{kind}"

    def emit(self, topic: Topic, key: bytes, value: bytes, headers: Headers = ()) -> None:
        """Add a record to a topic, partitioned by its key.

        Raises `BadRecord` when it is larger than the topic allows: that is found before anything is sent.
        """
        self._add(topic, Output(topic.name, key, value, headers))

    def emit_here(self, topic: Topic, key: bytes, value: bytes, headers: Headers = ()) -> None:
        """As `emit`, for a key that is the source record's own: it belongs into the same partition."""
        self._add(topic, Output(topic.name, key, value, headers, self.place.partition))

    def emit_into(self, topic: Topic, partition: int, key: bytes, value: bytes) -> None:
        """Add a record to one given partition."""
        self._add(topic, Output(topic.name, key, value, (), partition))

    def emit_everywhere(self, topic: Topic, key: bytes, value: bytes) -> None:
        """Add a record to every partition of a topic."""
        for partition in range(self.place.partitions):
            self.emit_into(topic, partition, key, value)

    def emit_latest(self, topic: Topic, key: bytes, make: Callable[..., bytes], *what: object) -> None:
        """Emit what `make(*what)` returns at the end of the unit, once per key: a later call replaces an earlier one.

        Only for complete, versioned records whose key is the source record's own (profiles).
        """
        about = topic.name, key
        self._undo.append((about, self._latest.get(about)))
        self._latest[about] = make, what

    def keep(self) -> None:
        """The record succeeded."""
        self.state.keep()
        self._kept = len(self._outputs)
        self._undo.clear()

    def drop(self) -> None:
        """The record failed: nothing of it stays."""
        self.state.drop()
        del self._outputs[self._kept :]
        for about, before in reversed(self._undo):
            if before is None:
                del self._latest[about]
            else:
                self._latest[about] = before
        self._undo.clear()

    def take_outputs(self) -> list[Output]:
        """All outputs of the unit. They are let go of here: what makes them refers to this turn, and a cycle would
        keep the whole unit until the collector comes by."""
        here, outputs, latest = self.place.partition, self._outputs, self._latest
        self._outputs, self._latest, self._kept = [], {}, 0
        outputs += [Output(name, key, make(*what), (), here) for (name, key), (make, what) in latest.items()]
        return outputs

    def _add(self, topic: Topic, output: Output) -> None:
        if len(output.value or b"") > SURELY_SMALL:
            _check_size(topic, output)
        self._outputs.append(output)


def _check_size(topic: Topic, output: Output) -> None:
    size = len(output.key) + len(output.value or b"") + sum(len(n) + len(v or b"") for n, v in output.headers)
    if size + RECORD_OVERHEAD > topic.max_message_bytes:
        raise BadRecord(f"a record of {size} bytes for {topic.name} is over {topic.max_message_bytes} bytes")
