"""A batch into the tables: rows and positions in one transaction, so that neither is ever ahead of the other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from stream.contracts.profiles import Profile
from stream.sinks.reading import Anchor, Batch, Place, Positions
from stream.sinks.views.rows import Changes, changes_of
from stream.sinks.views.schema import CONTENT

log = structlog.get_logger(__name__)

# A lower (epoch, version) is refused; an equal one is the same content, so it is not written again.
PROFILE = f"""
INSERT INTO profiles VALUES (?, ?{", ?" * len(Profile.__struct_fields__)})
ON CONFLICT (org, customer) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in Profile.__struct_fields__)}
WHERE (excluded.epoch, excluded.version) > (profiles.epoch, profiles.version)"""
CASE = f"""
INSERT INTO cases VALUES ({", ".join("?" * 11)})
ON CONFLICT (org, customer, number) DO UPDATE SET
    live = excluded.live, state = excluded.state, weight = excluded.weight, opened_at = excluded.opened_at,
    assigned_to = excluded.assigned_to, epoch = excluded.epoch, version = excluded.version, body = excluded.body
WHERE (excluded.epoch, excluded.version) > (cases.epoch, cases.version)"""
# What was observed before somebody was erased must not bring the data back.
PERSON = """
INSERT INTO people (org, customer, name, phones, email, observed_at, erased_at, phone_terms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (org, customer) DO UPDATE SET
    name = excluded.name, phones = excluded.phones, email = excluded.email, observed_at = excluded.observed_at,
    erased_at = excluded.erased_at, phone_terms = excluded.phone_terms
WHERE people.erased_at IS NULL OR excluded.erased_at IS NOT NULL OR excluded.observed_at > people.erased_at"""
ENTRY = f"INSERT INTO entries VALUES ({', '.join('?' * 16)}) ON CONFLICT DO NOTHING"
ALERT = "INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
# The place is that of the first one, so that an address stays true; what is said of it is the newest.
DEAD_LETTER = f"""
INSERT INTO dead_letters VALUES ({", ".join("?" * 16)})
ON CONFLICT (content) DO UPDATE SET
    at = excluded.at, reason = excluded.reason, exception = excluded.exception, excerpt = excluded.excerpt,
    times = times + 1, last_offset = excluded.last_offset
WHERE excluded.last_offset > last_offset"""
POSITION = """
INSERT INTO positions VALUES (?, ?, ?, ?, ?)
ON CONFLICT (topic, partition) DO UPDATE SET
    next_offset = excluded.next_offset, anchor_offset = coalesce(excluded.anchor_offset, anchor_offset),
    anchor_timestamp = coalesce(excluded.anchor_timestamp, anchor_timestamp)"""
# Deleted words stay in the search index until its segments are merged.
FORGET_WORDS = "INSERT INTO people_search (people_search) VALUES ('optimize')"


UNFIT = (OverflowError, UnicodeEncodeError, sqlite3.IntegrityError, sqlite3.DataError)


@dataclass(frozen=True)
class Resume:
    """Where to go on, and what the last record taken from each partition was."""

    positions: Positions
    anchors: dict[Place, Anchor]
    cluster: str | None


def apply_batch(connection: sqlite3.Connection, batch: Batch) -> int:
    """Write a batch and its positions together. Returns how many of its records could not be taken.

    A record that no table can hold (an integer beyond 64 bits) is found by halving, and passed over: one record
    must not stop all that is shown. Rows of the first half are then there before their positions, which is
    harmless, as every row is.
    """
    try:
        return _apply(connection, batch)
    except UNFIT as error:
        if len(batch.records) > 1:
            half = len(batch.records) // 2
            first, second = Batch(batch.records[:half], {}, {}), batch._replace(records=batch.records[half:])
            return apply_batch(connection, first) + apply_batch(connection, second)
        if not batch.records:
            raise
        place = batch.records[0][:3]
        log.warning("views: record does not fit, passed over", place=place, error=type(error).__name__)
        return 1 + _apply(connection, batch._replace(records=[]))


def _apply(connection: sqlite3.Connection, batch: Batch) -> int:
    changes = changes_of(batch.records)
    # Former contact data leaves no trace in free pages; for the rest that is not worth the time.
    connection.execute(f"PRAGMA secure_delete = {'ON' if changes.people or changes.removed_people else 'OFF'}")
    with _transaction(connection):
        _remove(connection, changes)
        _write(connection, changes)
        _write_positions(connection, batch)
    if _erases(changes):
        connection.execute(FORGET_WORDS)
    return changes.unreadable


def resume(connection: sqlite3.Connection) -> Resume:
    """What the file already has."""
    rows = connection.execute("SELECT * FROM positions").fetchall()
    cluster = connection.execute("SELECT value FROM meta WHERE name = 'cluster'").fetchone()
    return Resume(
        positions={Place(topic, partition): offset for topic, partition, offset, _, _ in rows},
        anchors={Place(t, p): Anchor(offset, time) for t, p, _, offset, time in rows if offset is not None},
        cluster=cluster[0] if cluster else None,
    )


def remember_cluster(connection: sqlite3.Connection, cluster: str) -> None:
    """Note whose log this is."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('cluster', ?)", (cluster,))


def start_over(connection: sqlite3.Connection) -> None:
    """Empty every table that comes from the log, positions included, in one transaction."""
    with _transaction(connection):
        for table in CONTENT:
            connection.execute(f"DELETE FROM {table}")


def drop_expired_dead_letters(connection: sqlite3.Connection, starts: Mapping[Place, int]) -> None:
    """Forget dead letters that their topic no longer has: they are kept for its days, not longer."""
    first = [(place.partition, offset) for place, offset in starts.items()]
    connection.executemany("DELETE FROM dead_letters WHERE partition = ? AND last_offset < ?", first)
    connection.executemany(
        """DELETE FROM letter_decisions AS d WHERE partition = ? AND through < ?
           AND NOT EXISTS (SELECT 1 FROM dead_letters l WHERE l.content = d.content)""",
        first,
    )


def _remove(connection: sqlite3.Connection, changes: Changes) -> None:
    for table, keys in (("profiles", changes.removed_profiles), ("people", changes.removed_people)):
        connection.executemany(f"DELETE FROM {table} WHERE org = ? AND customer = ?", keys)
    connection.executemany("DELETE FROM cases WHERE org = ? AND customer = ? AND number = ?", changes.removed_cases)


def _write(connection: sqlite3.Connection, changes: Changes) -> None:
    # In key order the pages of a table are touched one after the other.
    connection.executemany(PROFILE, [changes.profiles[key] for key in sorted(changes.profiles)])
    connection.executemany(PERSON, changes.people.values())
    connection.executemany(CASE, changes.cases.values())
    connection.executemany(ENTRY, changes.entries)
    connection.executemany(ALERT, changes.alerts)
    connection.executemany(DEAD_LETTER, changes.dead_letters)
    for statement, values in changes.statements:
        connection.execute(statement, values)


def _write_positions(connection: sqlite3.Connection, batch: Batch) -> None:
    for place, offset in batch.positions.items():
        anchor = batch.anchors.get(place)
        values = (anchor.offset, anchor.timestamp) if anchor else (None, None)
        connection.execute(POSITION, (place.topic, place.partition, offset, *values))


def _erases(changes: Changes) -> bool:
    return bool(changes.removed_people) or any(row[6] is not None for row in changes.people.values())


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
