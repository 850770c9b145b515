"""A batch of records as rows: decoded, the newest per key, in the columns' order of `schema`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec
import structlog

from stream.contracts import dead_letters, topics
from stream.contracts.access import ACCESS
from stream.contracts.alerts import decode_alert
from stream.contracts.audit import AUDIT
from stream.contracts.cases import CASES, Case, CaseState
from stream.contracts.cursors import CURSORS
from stream.contracts.deliveries import DELIVERIES
from stream.contracts.entries import ENTRIES
from stream.contracts.envelope import Event, Vocabulary
from stream.contracts.people import PEOPLE
from stream.contracts.profiles import PROFILES, Profile
from stream.contracts.runs import RUNS
from stream.contracts.settings import SETTINGS
from stream.engine.ports import Headers, Input
from stream.errors import BadRecord
from stream.sinks.document import iso_millis
from stream.sinks.views import people, statements
from stream.sinks.views.redaction import excerpt_of, plain_reason
from stream.sinks.views.runs import statements_of
from stream.sinks.views.shown import weight_of
from stream.sinks.views.statements import Cell, Statement

log = structlog.get_logger(__name__)

Row = tuple[Cell, ...]
AccountKey = tuple[str, str]
CaseKey = tuple[str, str, int]

_encode = msgspec.json.Encoder(decimal_format="string").encode
_astuple = msgspec.structs.astuple
_VERSION = slice(-3, -1)  # epoch and version in a row of profiles, before `export`


@dataclass
class Changes:
    """What a batch changes. Deleted keys go first, then rows: a key may be in both."""

    profiles: dict[AccountKey, Row] = field(default_factory=dict)
    removed_profiles: set[AccountKey] = field(default_factory=set)
    people: dict[AccountKey, people.Row] = field(default_factory=dict)
    removed_people: set[AccountKey] = field(default_factory=set)
    cases: dict[CaseKey, Row] = field(default_factory=dict)
    removed_cases: set[CaseKey] = field(default_factory=set)
    entries: list[Row] = field(default_factory=list)
    alerts: list[Row] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    dead_letters: list[Row] = field(default_factory=list)
    unreadable: int = 0


def changes_of(records: Iterable[Input]) -> Changes:
    """The changes of a batch. A record that cannot be read is counted, logged by its place, and passed over."""
    changes = Changes()
    for record in records:
        try:
            _ADD[record.topic](changes, record)
        except (BadRecord, msgspec.DecodeError, ValueError, KeyError) as error:
            changes.unreadable += 1
            log.warning(
                "views: record cannot be read, passed over",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                error=type(error).__name__,
            )
    return changes


def _add_profile(changes: Changes, record: Input) -> None:
    if record.value is None:
        key = _account(record)
        changes.profiles.pop(key, None)
        changes.removed_profiles.add(key)
        return
    event = PROFILES.decode(record.value)
    profile: Profile = event.data
    key = (event.org, event.customer)
    row: Row = (event.org, event.customer, *_astuple(profile))
    known = changes.profiles.get(key)
    if known is None or row[_VERSION] > known[_VERSION]:
        changes.profiles[key] = row


def _add_person(changes: Changes, record: Input) -> None:
    if record.value is None:
        key = _account(record)
        changes.people.pop(key, None)
        changes.removed_people.add(key)
        return
    event = PEOPLE.decode(record.value)
    key, row = (event.org, event.customer), people.row_of(event)
    known = changes.people.get(key)
    if known is None or not people.stays_erased(known, row):
        changes.people[key] = row


def _add_case(changes: Changes, record: Input) -> None:
    if record.value is None:
        org, customer, number = _key(record).split(":")
        changes.cases.pop((org, customer, int(number)), None)
        changes.removed_cases.add((org, customer, int(number)))
        return
    event = CASES.decode(record.value)
    case: Case = event.data
    key = (event.org, event.customer, case.number)
    known = changes.cases.get(key)
    if known is None or (case.epoch, case.version) > known[-3:-1]:
        changes.cases[key] = (event.org, event.customer, *_case_cells(case))


def _case_cells(case: Case) -> Row:
    """What a case is listed by, and the case itself."""
    return (
        *(case.number, int(case.state is not CaseState.RESOLVED), case.state.value, weight_of(case), case.opened_at),
        *(case.assigned_to, case.epoch, case.version, _encode(case).decode()),
    )


def _add_entry(changes: Changes, record: Input) -> None:
    if record.value is None:
        return
    event = ENTRIES.decode(record.value)
    changes.entries.append((event.org, event.customer, event.at, *_astuple(event.data)))


def _add_alert(changes: Changes, record: Input) -> None:
    if record.value is None:
        return
    alert = decode_alert(record.value)
    headers = _text(record.headers)
    at = iso_millis(headers["ce_time"])
    place = (record.partition, record.offset)
    changes.alerts.append((headers["ce_id"], at, alert.kind, alert.org, alert.customer, *place, record.value.decode()))


def _add_statements(
    vocabulary: Vocabulary,
    of: Callable[[Event[Any]], list[Statement]],
    removed: Callable[[str], list[Statement]] = lambda _: [],
) -> Callable[[Changes, Input], None]:
    def add(changes: Changes, record: Input) -> None:
        gone = record.value is None
        changes.statements += removed(_key(record)) if gone else of(vocabulary.decode(record.value or b""))

    return add


def _add_dead_letter(changes: Changes, record: Input) -> None:
    headers = _text(record.headers)
    at = int(headers.get(dead_letters.AT, "0"))
    changes.dead_letters.append(
        (
            *(record.partition, record.offset, headers.get(dead_letters.ORG, "")),
            *(at, headers.get(dead_letters.STAGE, "")),
            *(plain_reason(headers.get(dead_letters.REASON, "")), headers.get(dead_letters.EXCEPTION, "")),
            headers.get(dead_letters.TOPIC, ""),
            int(headers.get(dead_letters.PARTITION, "-1")),
            int(headers.get(dead_letters.OFFSET, "-1")),
            *((record.key or b"").decode(errors="replace"), excerpt_of(record.value)),
            *(_content_of(record, headers), at, 1, record.offset),
        )
    )


def _content_of(record: Input, headers: dict[str, str]) -> str:
    """What a dead letter is told apart by: what a vendor sent by what it is, for it sends that again until somebody has
    corrected it; a record by the place that it came from, for there is one of it, however often a sink that was killed
    gives it up. Of one partition, where offsets say which came later.
    """
    about = f"{record.partition}:{headers.get(dead_letters.ORG)}:{headers.get(dead_letters.STAGE)}:"
    if topic := headers.get(dead_letters.TOPIC):
        what = f"{topic}:{headers.get(dead_letters.PARTITION)}:{headers.get(dead_letters.OFFSET)}".encode()
    else:
        what = record.value or headers.get(dead_letters.REASON, "").encode()
    return blake2b(about.encode() + what, digest_size=16).hexdigest()


def _text(headers: Headers) -> dict[str, str]:
    """A header may have no value: others put theirs beside ours."""
    return {name: (value or b"").decode(errors="replace") for name, value in headers}


def _key(record: Input) -> str:
    return (record.key or b"").decode()


def _account(record: Input) -> AccountKey:
    org, customer = _key(record).split(":")
    return org, customer


_ADD: dict[str, Callable[[Changes, Input], None]] = {
    topics.PROFILES.name: _add_profile,
    topics.PEOPLE.name: _add_person,
    topics.CASES.name: _add_case,
    topics.ENTRIES.name: _add_entry,
    topics.ALERTS.name: _add_alert,
    topics.SETTINGS.name: _add_statements(SETTINGS, statements.of_settings),
    topics.RUNS.name: _add_statements(RUNS, statements_of),
    topics.CURSORS.name: _add_statements(CURSORS, statements.of_cursor),
    topics.DELIVERIES.name: _add_statements(DELIVERIES, statements.of_delivery),
    topics.ACCESS.name: _add_statements(ACCESS, statements.of_access, statements.removed_access),
    topics.AUDIT.name: _add_statements(AUDIT, statements.of_audit),
    topics.DEAD_LETTERS.name: _add_dead_letter,
}
