"""The views' read side: what API, dashboard, command line and agent tool ask.

Any thread of any process may read while the follower writes; each answer is of one moment, between two batches.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from stream.contracts.alerts import decode_alert
from stream.contracts.cases import Case, CaseState
from stream.contracts.entries import PointsEntry
from stream.contracts.profiles import Profile
from stream.contracts.runs import RunKind, Tally
from stream.contracts.settings import SettingsInForce
from stream.sinks.document import Document, document_of
from stream.sinks.reading import Place, Positions
from stream.sinks.views.file import open_for_reading
from stream.sinks.views.people import match_expression
from stream.sinks.views.shown import (
    CustomerCase,
    CustomerEntry,
    CustomerProfile,
    DeadLetter,
    Person,
    Provider,
    Run,
    ShownAlert,
    Stats,
)

Cell = str | int | None
Row = tuple[Cell, ...]

POLL_SECONDS = 0.02
ROWS_AT_ONCE = 1000

_PROFILE_COLUMNS = ", ".join(Profile.__struct_fields__)
_ENTRY_COLUMNS = ", ".join(f'"{name}"' for name in PointsEntry.__struct_fields__)
_CASE_COLUMNS = ", ".join(Case.__struct_fields__)
_RUN_COLUMNS = """run, org, kind, customer, requested_by, phase, outcome, answer, reason, requested_at, started_at,
    ended_at, orders, order_customers, orders_unreadable, alleaves_calls, balances, alpine_calls, tally, phases"""
_json = msgspec.json.decode


class Views:
    """Reads a views file. Opens it with the first question; raises Unreachable then when there is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mine = threading.local()

    # ── figures ──────────────────────────────────────────────────────────────────────────────────────────────

    def orgs(self) -> list[str]:
        """Every org that has settings, profiles or runs, in alphabetical order."""
        tables = ("settings", "profiles", "runs")
        union = " UNION ".join(f"SELECT DISTINCT org FROM {table}" for table in tables)
        return [str(org) for (org,) in self._rows(f"{union} ORDER BY 1")]

    def stats(self, org: str) -> Stats:
        """The brief's figures."""
        total, with_alpine, matched, discrepancies, last = self._rows(
            """SELECT count(*), count(points_from_alpine), count(*) FILTER (WHERE verdict = 'matched'),
                      count(*) FILTER (WHERE verdict = 'discrepancy'),
                      (SELECT max(ended_at) FROM runs WHERE org = ?1 AND outcome = 'completed' AND kind <> ?2)
               FROM profiles WHERE org = ?1""",
            (org, RunKind.CUSTOMER.value),
        )[0]
        counts = msgspec.convert((total, with_alpine, total, matched, discrepancies), tuple[int, int, int, int, int])
        return Stats(*counts, last_sync_ms=msgspec.convert(last, int | None))

    def verdicts(self, org: str) -> dict[str, int]:
        """How many customers have each verdict."""
        rows = self._rows("SELECT verdict, count(*) FROM profiles WHERE org = ? GROUP BY verdict", (org,))
        return {str(verdict): msgspec.convert(count, int) for verdict, count in rows}

    # ── customers ────────────────────────────────────────────────────────────────────────────────────────────

    def profile(self, org: str, customer: str) -> Profile | None:
        """The customer's profile; None when there is none."""
        rows = self._rows(f"SELECT {_PROFILE_COLUMNS} FROM profiles WHERE org = ? AND customer = ?", (org, customer))
        return _profile(rows[0]) if rows else None

    def needing_review(self, org: str, limit: int = 100) -> list[CustomerProfile]:
        """Customers with the verdict `discrepancy`, the largest differences first."""
        rows = self._rows(
            f"""SELECT customer, {_PROFILE_COLUMNS} FROM profiles WHERE org = ? AND verdict = 'discrepancy'
                ORDER BY abs(discrepancy) DESC, customer LIMIT ?""",
            (org, limit),
        )
        return [CustomerProfile(org, str(row[0]), _profile(row[1:])) for row in rows]

    def profiles(self, org: str) -> Iterator[Document]:
        """Every customer's document, in order of customer id, without holding them all in memory."""
        after = ""
        while True:
            rows = self._rows(
                f"""SELECT customer, {_PROFILE_COLUMNS} FROM profiles WHERE org = ? AND customer > ?
                    ORDER BY customer LIMIT {ROWS_AT_ONCE}""",
                (org, after),
            )
            for customer, *fields in rows:
                yield document_of(org, str(customer), _profile(tuple(fields)))
            if len(rows) < ROWS_AT_ONCE:
                return
            after = str(rows[-1][0])

    def entries(self, org: str, customer: str, *, limit: int = 100) -> list[CustomerEntry]:
        """How the customer's points came about, newest first."""
        rows = self._rows(
            f"""SELECT at, {_ENTRY_COLUMNS} FROM entries WHERE org = ? AND customer = ?
                ORDER BY epoch DESC, version DESC, id DESC LIMIT ?""",
            (org, customer, limit),
        )
        return [CustomerEntry(org, customer, msgspec.convert(at, int), _entry(tuple(e))) for at, *e in rows]

    def person(self, org: str, customer: str) -> Person | None:
        """Name and contact data; None when nothing is known."""
        sql = "SELECT org, customer, name, phones, email, erased_at FROM people WHERE org = ? AND customer = ?"
        return next((_person(row) for row in self._rows(sql, (org, customer))), None)

    def search(self, text: str, *, org: str | None = None, limit: int = 20) -> list[Person]:
        """People whose name, e-mail, phone number or customer id has words that begin like those in `text`."""
        expression = match_expression(text)
        if not expression:
            return []
        rows = self._rows(
            """SELECT p.org, p.customer, p.name, p.phones, p.email, p.erased_at
               FROM people_search JOIN people p ON p.number = people_search.rowid
               WHERE people_search MATCH ? AND p.erased_at IS NULL AND (?2 IS NULL OR p.org = ?2)
               ORDER BY people_search.rank, p.org, p.customer LIMIT ?3""",
            (expression, org, limit),
        )
        return [_person(row) for row in rows]

    # ── cases, alerts, runs ──────────────────────────────────────────────────────────────────────────────────

    def cases(
        self, org: str, *, customer: str | None = None, state: CaseState | None = None, limit: int = 100
    ) -> list[CustomerCase]:
        """Cases, newest first."""
        rows = self._rows(
            f"""SELECT customer, {_CASE_COLUMNS} FROM cases
                WHERE org = ?1 AND (?2 IS NULL OR customer = ?2) AND (?3 IS NULL OR state = ?3)
                ORDER BY opened_at DESC, customer, number DESC LIMIT ?4""",
            (org, customer, state and state.value, limit),
        )
        return [CustomerCase(org, str(row[0]), _case(row[1:])) for row in rows]

    def alerts(self, org: str | None = None, *, limit: int = 100) -> list[ShownAlert]:
        """Alerts, newest first."""
        rows = self._rows(
            "SELECT id, at, alert FROM alerts WHERE ?1 IS NULL OR org = ?1 ORDER BY at DESC, id LIMIT ?2", (org, limit)
        )
        return [ShownAlert(str(a), msgspec.convert(at, int), decode_alert(str(b).encode())) for a, at, b in rows]

    def runs(self, org: str | None = None, *, limit: int = 100) -> list[Run]:
        """Runs, newest first; those under way come before those that ended."""
        rows = self._rows(
            f"""SELECT {_RUN_COLUMNS} FROM runs WHERE ?1 IS NULL OR org = ?1
                ORDER BY ended_at IS NOT NULL, coalesce(ended_at, started_at, requested_at) DESC, run LIMIT ?2""",
            (org, limit),
        )
        return [_run(row) for row in rows]

    def run(self, run_id: str) -> Run | None:
        """One run; None when it is not known."""
        return next((_run(r) for r in self._rows(f"SELECT {_RUN_COLUMNS} FROM runs WHERE run = ?", (run_id,))), None)

    def provider(self, org: str) -> Provider | None:
        """Whether the org's provider answers; None when it was never reported otherwise."""
        rows = self._rows("SELECT org, available, since, reason FROM providers WHERE org = ?", (org,))
        return msgspec.convert(rows[0], _ProviderRow).provider() if rows else None

    def settings(self, org: str) -> SettingsInForce | None:
        """The org's settings in force; None before its first."""
        rows = self._rows("SELECT version, settings FROM settings WHERE org = ?", (org,))
        if not rows:
            return None
        return msgspec.convert({"version": rows[0][0], "settings": _json(str(rows[0][1]))}, SettingsInForce)

    def dead_letters(
        self, limit: int = 100, *, org: str | None = None, stage: str | None = None, reason: str | None = None
    ) -> list[DeadLetter]:
        """Dead letters, newest first, redacted. `reason`: only those whose reason contains this text."""
        rows = self._rows(
            """SELECT * FROM dead_letters WHERE (?1 IS NULL OR org = ?1) AND (?2 IS NULL OR stage = ?2)
                   AND (?3 IS NULL OR instr(lower(reason), lower(?3)) > 0)
               ORDER BY at DESC, partition, "offset" DESC LIMIT ?4""",
            (org, stage, reason, limit),
        )
        return [msgspec.convert(dict(zip(DeadLetter.__match_args__, row, strict=True)), DeadLetter) for row in rows]

    def dead_letter(self, partition: int, offset: int) -> DeadLetter | None:
        """The dead letter at this place of its topic; None when it is not there any more."""
        rows = self._rows('SELECT * FROM dead_letters WHERE partition = ? AND "offset" = ?', (partition, offset))
        return msgspec.convert(dict(zip(DeadLetter.__match_args__, rows[0], strict=True)), DeadLetter) if rows else None

    # ── how far ──────────────────────────────────────────────────────────────────────────────────────────────

    def positions(self) -> Positions:
        """Per partition the offset of the next record: everything before is in the views."""
        rows = self._rows("SELECT topic, partition, next_offset FROM positions")
        return {Place(*msgspec.convert(row[:2], tuple[str, int])): msgspec.convert(row[2], int) for row in rows}

    def reached(self, ends: Positions) -> bool:
        """Whether everything before `ends` is in the views."""
        positions = self.positions()
        return all(positions.get(place, 0) >= end for place, end in ends.items())

    async def wait_for(self, done: Callable[[Views], bool] | Positions, *, timeout: float) -> None:
        """Wait until `done` holds, or until these positions are reached. Raises TimeoutError after `timeout` s.

        Works in any process: the question is asked again whenever somebody has written to the file.
        """
        question = done if callable(done) else lambda views: views.reached(done)
        seen = -1
        async with asyncio.timeout(timeout):
            while True:
                version = self._data_version()
                if version != seen and question(self):
                    return
                seen = version
                await asyncio.sleep(POLL_SECONDS)

    def close(self) -> None:
        """Close this thread's connection; those of other threads close with their threads."""
        connection: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if connection is not None:
            del self._mine.connection
            connection.close()

    def _data_version(self) -> int:
        return msgspec.convert(self._rows("PRAGMA data_version")[0][0], int)

    def _rows(self, sql: str, values: tuple[Cell, ...] = ()) -> list[Row]:
        connection: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = open_for_reading(self._path)
        return connection.execute(sql, values).fetchall()


class _ProviderRow(msgspec.Struct, array_like=True):
    org: str
    available: int
    since: int
    reason: str | None

    def provider(self) -> Provider:
        return Provider(self.org, bool(self.available), self.since, self.reason)


def _profile(row: Row) -> Profile:
    fields: dict[str, Cell] = dict(zip(Profile.__struct_fields__, row, strict=True))
    return msgspec.convert(fields | {"export": bool(fields["export"])}, Profile)


def _entry(row: Row) -> PointsEntry:
    return msgspec.convert(dict(zip(PointsEntry.__struct_fields__, row, strict=True)), PointsEntry)


def _case(row: Row) -> Case:
    fields: dict[str, Cell] = dict(zip(Case.__struct_fields__, row, strict=True))
    decoded = {"history": _json(str(fields["history"])), "tier_differs": bool(fields["tier_differs"])}
    return msgspec.convert(fields | decoded, Case)


def _run(row: Row) -> Run:
    tally, phases = row[-2:]
    decoded = (
        None if tally is None else msgspec.json.decode(str(tally), type=Tally),
        {} if phases is None else _json(str(phases)),
    )
    return msgspec.convert(dict(zip(Run.__match_args__, (*row[:-2], *decoded), strict=True)), Run)


def _person(row: Row) -> Person:
    fields = dict(zip(Person.__match_args__, row, strict=True))
    return msgspec.convert(fields | {"phones": _json(str(fields["phones"]))}, Person)
