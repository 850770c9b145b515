"""Questions that only the dashboard's pages ask. Each is served by an index."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from stream.contracts.alerts import Alert, AlertKind, decode_alert
from stream.contracts.cases import Case, CaseState, CauseKind
from stream.contracts.runs import Tally, VendorUse
from stream.sinks.views.connection import Cell, Reader, Row, number

SHOPS_MAX = 200
_EVER = 1 << 62

_CASES = """
SELECT c.customer, c.body, e.name, p.tier
FROM cases c
LEFT JOIN profiles p ON p.org = c.org AND p.customer = c.customer -- first: a shop is chosen by it
LEFT JOIN people e ON e.org = c.org AND e.customer = c.customer
WHERE c.org = ? AND {which} {more}
ORDER BY c.weight DESC, c.customer, c.number LIMIT ?"""

_LIVE_IN_SHOP = """cases c CROSS JOIN profiles p ON p.org = c.org AND p.customer = c.customer
WHERE c.org = ? AND c.live = 1 AND p.home_location = ?"""


@dataclass(frozen=True)
class CaseRow:
    """A case in a list, with whose it is. `name`: None when nobody knows one."""

    customer: str
    case: Case
    name: str | None
    tier: str | None

    @property
    def unexplained(self) -> int:
        """Points that nothing explains; of a case that was not looked into, all of the difference. By it lists are
        ordered."""
        causes = self.case.causes
        rest = sum(cause.points for cause in causes if cause.kind is CauseKind.UNEXPLAINED)
        return abs(rest if causes else self.case.difference)


@dataclass(frozen=True)
class RunPoint:
    """A run over all customers, as a point of the charts. Times UTC ms."""

    run: str
    kind: str
    outcome: str
    started_at: int | None
    ended_at: int
    tally: Tally | None
    vendors: dict[str, VendorUse]


@dataclass(frozen=True)
class Contacts:
    """How many customers can be looked for at the provider, and by what."""

    with_phone: int
    with_email: int


@dataclass(frozen=True)
class PastAlert:
    """An alert with its time (UTC ms)."""

    at: int
    alert: Alert


def shops(views: Reader, org: str) -> list[str]:
    """The org's shops (home locations of customers), in alphabetical order."""
    rows = views.rows(
        "SELECT DISTINCT shop FROM profile_sums WHERE org = ? AND customers > 0 AND shop <> '' ORDER BY shop LIMIT ?",
        (org, SHOPS_MAX),
    )
    return [str(shop) for (shop,) in rows]


def live_cases(views: Reader, org: str, shop: str | None = None) -> int:
    """How many cases are not resolved, in one shop or in all."""
    if shop is None:
        rows = views.rows("SELECT count(*) FROM cases WHERE org = ? AND live = 1", (org,))
    else:
        rows = views.rows(f"SELECT count(*) FROM {_LIVE_IN_SHOP}", (org, shop))
    return number(rows[0][0])


def verdict_counts(views: Reader, org: str, shop: str | None = None) -> dict[str, int]:
    """How many customers have each verdict, in one shop or in all."""
    rows = views.rows(
        """SELECT verdict, sum(customers) FROM profile_sums
           WHERE org = ?1 AND (?2 IS NULL OR shop = ?2) AND customers > 0 GROUP BY verdict""",
        (org, shop),
    )
    return {str(verdict): number(count) for verdict, count in rows}


def balances_known(views: Reader, org: str, shop: str | None = None) -> tuple[int, int]:
    """How many customers have a balance at the provider, and how many points all customers hold."""
    row = views.rows(
        """SELECT coalesce(sum(with_alpine), 0), coalesce(sum(points), 0) FROM profile_sums
           WHERE org = ?1 AND (?2 IS NULL OR shop = ?2)""",
        (org, shop),
    )[0]
    return number(row[0]), number(row[1])


def matched_by(views: Reader, org: str, shop: str | None = None) -> dict[str, int]:
    """How many customers' contacts were found by each kind of identity, in one shop or in all."""
    rows = views.rows(
        """SELECT matched_by, sum(customers) FROM profile_sums
           WHERE org = ?1 AND (?2 IS NULL OR shop = ?2) AND customers > 0 AND matched_by <> '' GROUP BY matched_by""",
        (org, shop),
    )
    return {str(kind): number(count) for kind, count in rows}


def inbox(
    views: Reader,
    org: str,
    *,
    state: CaseState | None = None,
    shop: str | None = None,
    assigned_to: str | None = None,
    after: tuple[int, str, int] | None = None,
    limit: int = 50,
) -> list[CaseRow]:
    """Cases with names, most unexplained points first: of one state, else all that are not resolved.
    `after`: the last one's weight, customer and number."""
    which, values = ("c.live = ?", [1]) if state is None else ("c.state = ?", [state.value])
    given: list[Cell] = [org, *values]
    terms = []
    if shop is not None:
        terms.append("AND p.home_location = ?")
        given.append(shop)
    if assigned_to is not None:
        terms.append("AND c.assigned_to = ?")
        given.append(assigned_to)
    if after is not None:
        terms.append("AND c.weight <= ? AND (-c.weight, c.customer, c.number) > (-?, ?, ?)")
        given += [after[0], *after]
    rows = views.rows(_CASES.format(which=which, more=" ".join(terms)), (*given, limit))
    return [
        CaseRow(str(customer), msgspec.json.decode(str(body), type=Case), _text(name), _text(tier))
        for customer, body, name, tier in rows
    ]


def unexplained_points(views: Reader, org: str, shop: str | None = None) -> int:
    """Points of cases that are not resolved and that nothing explains."""
    if shop is None:
        rows = views.rows("SELECT coalesce(sum(weight), 0) FROM cases WHERE org = ? AND live = 1", (org,))
    else:
        rows = views.rows(f"SELECT coalesce(sum(c.weight), 0) FROM {_LIVE_IN_SHOP}", (org, shop))
    return number(rows[0][0])


def run_points(views: Reader, org: str, *, since: int, limit: int = 200) -> list[RunPoint]:
    """Runs over all customers that ended since then (UTC ms), oldest first; of more than `limit` the newest."""
    rows = views.rows(
        """SELECT run, kind, outcome, started_at, ended_at, tally, vendors FROM runs
           WHERE org = ? AND ended_at >= ? AND kind <> 'customer' ORDER BY ended_at DESC LIMIT ?""",
        (org, since, limit),
    )
    return [_run_point(row) for row in reversed(rows)]


def run_before(views: Reader, org: str, ended_at: int) -> str | None:
    """The id of the completed run over all customers that ended last before then (UTC ms)."""
    rows = views.rows(
        """SELECT run FROM runs WHERE org = ? AND outcome = 'completed' AND kind <> 'customer' AND ended_at < ?
           ORDER BY ended_at DESC LIMIT 1""",
        (org, ended_at),
    )
    return str(rows[0][0]) if rows else None


def ever_compared(views: Reader, org: str) -> bool:
    """Whether any run over all customers has completed: before, no customer has a verdict that means something."""
    return run_before(views, org, _EVER) is not None


def opened_since(views: Reader, org: str, since: int) -> int:
    """How many cases were opened after then (UTC ms)."""
    return number(views.rows("SELECT count(*) FROM cases WHERE org = ? AND opened_at > ?", (org, since))[0][0])


def names_of(views: Reader, org: str, customers: Iterable[str]) -> dict[str, str]:
    """The names of these customers, of those who have one."""
    wanted = list(dict.fromkeys(customers))
    if not wanted:
        return {}
    marks = ", ".join("?" * len(wanted))
    rows = views.rows(
        f"SELECT customer, name FROM people WHERE org = ? AND customer IN ({marks}) AND erased_at IS NULL",
        (org, *wanted),
    )
    return {str(customer): str(name) for customer, name in rows}


def contacts(views: Reader, org: str) -> Contacts:
    """How many customers have a phone number, and how many an e-mail address."""
    row = views.rows(
        """SELECT (SELECT count(DISTINCT customer) FROM phones WHERE org = ?1),
                  (SELECT count(*) FROM people WHERE org = ?1 AND email IS NOT NULL)""",
        (org,),
    )[0]
    return Contacts(number(row[0]), number(row[1]))


def alerts_of(views: Reader, org: str, kind: AlertKind, *, limit: int = 20) -> list[PastAlert]:
    """The newest alerts of one kind."""
    rows = views.rows(
        "SELECT at, alert FROM alerts WHERE org = ? AND kind = ? ORDER BY at DESC LIMIT ?", (org, kind.value, limit)
    )
    return [PastAlert(number(at), decode_alert(str(alert).encode())) for at, alert in rows]


def _run_point(row: Row) -> RunPoint:
    run, kind, outcome, started_at, ended_at, tally, vendors = row
    began = None if started_at is None else number(started_at)
    use = {} if vendors is None else msgspec.json.decode(str(vendors), type=dict[str, VendorUse])
    return RunPoint(str(run), str(kind), str(outcome), began, number(ended_at), _tally(tally), use)


def _text(cell: Cell) -> str | None:
    return None if cell is None else str(cell)


def _tally(cell: Cell) -> Tally | None:
    return None if cell is None else msgspec.json.decode(str(cell), type=Tally)
