"""Questions about what happens: cases, alerts, runs, dead letters, deliveries."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from itertools import islice

import msgspec

from stream.contracts.alerts import decode_alert
from stream.contracts.cases import Case, CaseState
from stream.contracts.deliveries import Delivery
from stream.contracts.runs import Tally, VendorUse
from stream.sinks.views.connection import Reader, Row, number
from stream.sinks.views.shown import CustomerCase, DeadLetter, LetterReason, Run, SentDelivery, ShownAlert

_RUN_COLUMNS = """run, org, kind, customer, requested_by, phase, outcome, answer, reason, requested_at, started_at,
    ended_at, orders, order_customers, orders_unreadable, alleaves_calls, balances, alpine_calls, queued_ms,
    tally, phases, vendors"""
_ASKED = "coalesce(requested_at, started_at, ended_at)"
_HOLDS = "d.content = l.content AND (d.decision = 'discard' OR d.through >= l.last_offset) "
_LETTER = (
    """l.partition, l."offset", l.org, l.at, l.stage, l.reason, l.exception, l.source_topic, l.source_partition,
    l.source_offset, l.key, l.excerpt, l.content, l.first_at, l.times, l.last_offset, d.decision, d.at, d.by
    FROM dead_letters l LEFT JOIN letter_decisions d ON """
    + _HOLDS
)
_json = msgspec.json.decode


class HappeningQueries(Reader):
    """Part of `stream.sinks.views.read.Views`."""

    # ── cases ────────────────────────────────────────────────────────────────────────────────────────────────

    def cases(
        self, org: str, *, customer: str | None = None, state: CaseState | None = None, limit: int = 100
    ) -> list[CustomerCase]:
        """Cases, newest first."""
        rows = self.rows(
            """SELECT customer, body FROM cases
               WHERE org = ?1 AND (?2 IS NULL OR customer = ?2) AND (?3 IS NULL OR state = ?3)
               ORDER BY opened_at DESC, customer, number DESC LIMIT ?4"""
            if customer is None
            else """SELECT customer, body FROM cases WHERE org = ?1 AND customer = ?2 AND (?3 IS NULL OR state = ?3)
               ORDER BY number DESC LIMIT ?4""",
            (org, customer, state and state.value, limit),
        )
        return [_case(org, row) for row in rows]

    def inbox(
        self,
        org: str,
        *,
        state: CaseState | None = None,
        live: bool = True,
        assigned_to: str | None = None,
        after: tuple[int, str, int] | None = None,
        limit: int = 100,
    ) -> list[CustomerCase]:
        """Cases by unexplained points, most first: those of one state, else the live (or the resolved) ones.
        `after`: the last one's weight (see `weight_of`), customer and number."""
        which, value = ("live = ?", int(live)) if state is None else ("state = ?", state.value)
        mine = "" if assigned_to is None else "AND assigned_to = ?"
        beyond = "" if after is None else "AND weight <= ? AND (-weight, customer, number) > (-?, ?, ?)"
        rows = self.rows(
            f"""SELECT customer, body FROM cases WHERE org = ? AND {which} {mine} {beyond}
                ORDER BY weight DESC, customer, number LIMIT ?""",
            (
                *(org, value),
                *(() if assigned_to is None else (assigned_to,)),
                *(() if after is None else (after[0], *after)),
                limit,
            ),
        )
        return [_case(org, row) for row in rows]

    def case(self, org: str, customer: str, case_number: int) -> CustomerCase | None:
        """One case; None when it is not known."""
        sql = "SELECT customer, body FROM cases WHERE org = ? AND customer = ? AND number = ?"
        return next((_case(org, row) for row in self.rows(sql, (org, customer, case_number))), None)

    # ── alerts ───────────────────────────────────────────────────────────────────────────────────────────────

    def alerts(self, org: str | None = None, *, limit: int = 100) -> list[ShownAlert]:
        """Alerts, newest first."""
        which, values = ("", ()) if org is None else ("WHERE org = ?", (org,))
        rows = self.rows(
            f'SELECT id, at, alert, partition, "offset" FROM alerts {which} ORDER BY at DESC LIMIT ?', (*values, limit)
        )
        return [_alert(row) for row in rows]

    def alerts_after(self, org: str, places: Mapping[int, int], *, limit: int = 100) -> list[ShownAlert]:
        """The next alerts after these places (partition → offset) of the topic: none is missed and none comes twice,
        whatever the views were rebuilt from. In order of time where partitions allow."""
        partitions = [number(p) for (p,) in self.rows("SELECT partition FROM positions WHERE topic = 'alerts'")]
        lanes = [
            self.rows(
                """SELECT id, at, alert, partition, "offset" FROM alerts
                   WHERE org = ? AND partition = ? AND "offset" > ? ORDER BY "offset" LIMIT ?""",
                (org, partition, places.get(partition, -1), limit),
            )
            for partition in partitions
        ]
        merged = heapq.merge(*lanes, key=lambda row: number(row[1]))
        return [_alert(row) for row in islice(merged, limit)]

    def alert_ends(self) -> dict[int, int]:
        """Per partition of the alerts the last offset that is in the views."""
        rows = self.rows("SELECT partition, next_offset FROM positions WHERE topic = 'alerts'")
        return {number(partition): number(after) - 1 for partition, after in rows}

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────

    def runs(self, org: str | None = None, *, limit: int = 100) -> list[Run]:
        """Runs, newest first; those under way come before those that ended."""
        which, values = ("", ()) if org is None else ("WHERE org = ?", (org,))
        rows = self.rows(
            f"""SELECT {_RUN_COLUMNS} FROM runs {which}
                ORDER BY ended_at IS NOT NULL, coalesce(ended_at, started_at, requested_at) DESC, run LIMIT ?""",
            (*values, limit),
        )
        return [_run(row) for row in rows]

    def runs_asked(
        self, org: str, *, customer: str | None = None, after: tuple[int, str] | None = None, limit: int = 100
    ) -> list[Run]:
        """Runs by when they were asked for, newest first. `after`: the last one's time (`asked_at`) and id."""
        whose = "" if customer is None else "AND customer = ?"
        beyond = "" if after is None else f"AND {_ASKED} <= ? AND ({_ASKED}, run) < (?, ?)"
        rows = self.rows(
            f"""SELECT {_RUN_COLUMNS} FROM runs WHERE org = ? {whose} {beyond}
                ORDER BY {_ASKED} DESC, run DESC LIMIT ?""",
            (
                org,
                *(() if customer is None else (customer,)),
                *(() if after is None else (after[0], *after)),
                limit,
            ),
        )
        return [_run(row) for row in rows]

    def run(self, run_id: str) -> Run | None:
        """One run; None when it is not known."""
        return next((_run(r) for r in self.rows(f"SELECT {_RUN_COLUMNS} FROM runs WHERE run = ?", (run_id,))), None)

    # ── dead letters ─────────────────────────────────────────────────────────────────────────────────────────

    def dead_letters(
        self,
        limit: int = 100,
        *,
        org: str | None = None,
        stage: str | None = None,
        reason: str | None = None,
        undecided: bool = False,
        after: tuple[int, int, int] | None = None,
    ) -> list[DeadLetter]:
        """Dead letters, newest first, redacted. `reason`: only those whose reason contains this text. `after`: the last
        one's time, partition and offset."""
        terms = {
            "l.org = ?": org,
            "l.stage = ?": stage,
            "instr(lower(l.reason), lower(?)) > 0": reason,
        }
        given = {term: value for term, value in terms.items() if value is not None}
        beyond = ["l.at <= ?", '(-l.at, l.partition, -l."offset") > (-?, ?, -?)'] if after is not None else []
        conditions = [*given, *(["d.decision IS NULL"] if undecided else []), *beyond]
        rows = self.rows(
            f"""SELECT {_LETTER} {"WHERE " + " AND ".join(conditions) if conditions else ""}
                ORDER BY l.at DESC, l.partition, l."offset" DESC LIMIT ?""",
            (*given.values(), *(() if after is None else (after[0], *after)), limit),
        )
        return [_letter(row) for row in rows]

    def dead_letter(self, partition: int, offset: int) -> DeadLetter | None:
        """The dead letter at this place of its topic; None when it is not there any more."""
        rows = self.rows(f'SELECT {_LETTER} WHERE l.partition = ? AND l."offset" = ?', (partition, offset))
        return _letter(rows[0]) if rows else None

    def letter_reasons(self, org: str, *, limit: int = 50) -> list[LetterReason]:
        """How many undecided dead letters of an org there are by stage and reason, the most frequent first."""
        rows = self.rows(
            f"""SELECT l.stage, l.reason, count(*) FROM dead_letters l LEFT JOIN letter_decisions d ON {_HOLDS}
               WHERE l.org = ? AND d.decision IS NULL
               GROUP BY l.stage, l.reason ORDER BY 3 DESC, 1, 2 LIMIT ?""",
            (org, limit),
        )
        return [LetterReason(str(stage), str(reason), number(count)) for stage, reason, count in rows]

    # ── deliveries ───────────────────────────────────────────────────────────────────────────────────────────

    def deliveries(
        self, org: str, *, after: tuple[int, str, str] | None = None, limit: int = 100
    ) -> list[SentDelivery]:
        """Messages to channels, newest attempts first. `after`: the last one's time, message and channel."""
        beyond = "" if after is None else "AND at <= ? AND (-at, message, channel) > (-?, ?, ?)"
        rows = self.rows(
            f"""SELECT at, body FROM deliveries WHERE org = ? {beyond}
                ORDER BY at DESC, message, channel LIMIT ?""",
            (org, *(() if after is None else (after[0], *after)), limit),
        )
        return [SentDelivery(org, number(at), msgspec.json.decode(str(body), type=Delivery)) for at, body in rows]


def asked_at(run: Run) -> int:
    """When a run was asked for, or the first that is known of it (UTC ms)."""
    return next((at for at in (run.requested_at, run.started_at, run.ended_at) if at is not None), 0)


def _case(org: str, row: Row) -> CustomerCase:
    return CustomerCase(org, str(row[0]), msgspec.json.decode(str(row[1]), type=Case))


def _alert(row: Row) -> ShownAlert:
    alert_id, at, alert, partition, offset = row
    return ShownAlert(str(alert_id), number(at), decode_alert(str(alert).encode()), number(partition), number(offset))


def _letter(row: Row) -> DeadLetter:
    return msgspec.convert(dict(zip(DeadLetter.__match_args__, row, strict=True)), DeadLetter)


def _run(row: Row) -> Run:
    tally, phases, vendors = row[-3:]
    decoded = (
        None if tally is None else msgspec.json.decode(str(tally), type=Tally),
        {} if phases is None else _json(str(phases)),
        {} if vendors is None else msgspec.json.decode(str(vendors), type=dict[str, VendorUse]),
    )
    return msgspec.convert(dict(zip(Run.__match_args__, (*row[:-3], *decoded), strict=True)), Run)
