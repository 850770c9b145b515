"""What there is to tell, read from a record of `alerts` or `runs`. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from stream.contracts import topics
from stream.contracts.alerts import IS_REPLAY, Alert, decode_alert
from stream.contracts.runs import RUNS, RunCompleted, RunFailed, RunKind
from stream.engine.ports import Input
from stream.errors import BadRecord
from stream.sinks.document import iso_millis
from stream.sinks.reading import Place


@dataclass(frozen=True)
class Item:
    """Something that happened in an org, and the record that says so. `at`: UTC ms; `id`: the alert's."""

    org: str
    place: Place
    offset: int
    at: int
    body: Alert | RunCompleted
    id: str = ""

    @property
    def run(self) -> str | None:
        """The run that it belongs to."""
        return self.body.run

    @property
    def customer(self) -> str | None:
        """The customer that it is about; None when it is about the org."""
        return self.body.customer


@dataclass(frozen=True)
class RunEnded:
    """A run is over: all its alerts are written. `good`: it has a result. `digest`: it is one to report on."""

    org: str
    run: str
    good: bool
    item: Item | None = None
    digest: bool = False


def org_of(record: Input) -> str:
    """The org of a record, from its key (`org`, or `org:customer`)."""
    return (record.key or b"").decode(errors="replace").split(":")[0]


def alert_item(record: Input) -> Item | None:
    """The alert in a record; None for one that is only said again for other readers.

    Raises `BadRecord` when there is no alert in it.
    """
    headers = dict(record.headers)
    if headers.get(IS_REPLAY) == b"true":
        return None
    try:
        alert = decode_alert(record.value or b"")
        at = iso_millis(headers.get("ce_time", b"").decode())
        alert_id = headers["ce_id"].decode()
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, KeyError) as error:
        raise BadRecord(f"not an alert that can be read: {type(error).__name__}: {error}") from error
    return Item(alert.org, place_of(record), record.offset, at, alert, alert_id)


def run_ended(record: Input) -> RunEnded | None:
    """The end of a run, when a record of `runs` is about one. Raises `BadRecord` for a record that is no event."""
    if record.topic != topics.RUNS.name or record.value is None:
        return None
    event = RUNS.decode(record.value)
    match event.data:
        case RunCompleted() as run if run.customer is None:
            item = Item(event.org, place_of(record), record.offset, run.ended_at, run)
            return RunEnded(event.org, run.run, good=True, item=item, digest=run.kind is RunKind.DAILY)
        case RunCompleted() | RunFailed() as run:
            return RunEnded(event.org, run.run, good=False)
        case _:
            return None


def place_of(record: Input) -> Place:
    """Where the record was read."""
    return Place(record.topic, record.partition)
