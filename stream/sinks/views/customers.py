"""Questions about customers: profiles, people, how points came about."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from stream.contracts.entries import PointsEntry
from stream.contracts.profiles import Profile
from stream.sinks.document import Document, document_of
from stream.sinks.views.connection import Cell, Reader, Row, number
from stream.sinks.views.people import match_expression
from stream.sinks.views.shown import EVERYBODY, Chosen, CustomerEntry, CustomerProfile, CustomerRow, Person

ROWS_AT_ONCE = 1000

_PROFILE_COLUMNS = ", ".join(Profile.__struct_fields__)
_PROFILE_OF_P = ", ".join(f"p.{name}" for name in Profile.__struct_fields__)
_PERSON_OF_E = "e.org, e.customer, e.name, e.phones, e.email, e.erased_at"
_ENTRY_COLUMNS = ", ".join(f'"{name}"' for name in PointsEntry.__struct_fields__)
_FILTERS = {"verdict": "p.verdict = ?", "tier": "p.tier = ?", "shop": "p.home_location = ?"}
_CASES = {
    "live": "p.customer IN (SELECT customer FROM cases WHERE org = ? AND live = 1)",
    "open": "p.customer IN (SELECT customer FROM cases WHERE org = ? AND state = 'open')",
    "acknowledged": "p.customer IN (SELECT customer FROM cases WHERE org = ? AND state = 'acknowledged')",
}
_INDEXES = {"verdict": "profiles_by_verdict", "tier": "profiles_by_tier", "shop": "profiles_by_shop"}
_FLAGS = ("equity", "tier_differs", "export")
_json = msgspec.json.decode


class CustomerQueries(Reader):
    """Part of `stream.sinks.views.read.Views`."""

    def profile(self, org: str, customer: str) -> Profile | None:
        """The customer's profile; None when there is none."""
        rows = self.rows(f"SELECT {_PROFILE_COLUMNS} FROM profiles WHERE org = ? AND customer = ?", (org, customer))
        return profile_of(rows[0]) if rows else None

    def needing_review(
        self, org: str, limit: int = 100, *, after: tuple[int, str] | None = None
    ) -> list[CustomerProfile]:
        """Customers with the verdict `discrepancy`, the largest differences first. `after`: the last one's difference
        without sign, and its customer."""
        beyond = "" if after is None else "AND (-abs(discrepancy), customer) > (-?2, ?3)"
        rows = self.rows(
            f"""SELECT customer, {_PROFILE_COLUMNS} FROM profiles WHERE org = ?1 AND verdict = 'discrepancy' {beyond}
                ORDER BY abs(discrepancy) DESC, customer LIMIT ?{2 if after is None else 4}""",
            (org, *(after or ()), limit),
        )
        return [CustomerProfile(org, str(row[0]), profile_of(row[1:])) for row in rows]

    def customers(
        self, org: str, chosen: Chosen = EVERYBODY, *, after: str = "", limit: int = 100
    ) -> list[CustomerRow]:
        """Customers in order of their id, with names."""
        where, values = _where(org, chosen)
        rows = self.rows(
            f"""SELECT 0, {_PERSON_OF_E}, p.customer, {_PROFILE_OF_P}
                FROM profiles AS p {_index(chosen)} LEFT JOIN people e ON e.org = p.org AND e.customer = p.customer
                WHERE p.org = ? AND p.customer > ? {where} ORDER BY p.customer LIMIT ?""",
            (org, after, *values, limit),
        )
        return [_customer_row(org, row) for row in rows]

    def customers_found(
        self,
        text: str,
        org: str,
        chosen: Chosen = EVERYBODY,
        *,
        contacts: bool = True,
        after: int = 0,
        limit: int = 100,
    ) -> list[CustomerRow]:
        """Customers of whom a word begins like each of those in `text` (see `match_expression`), in a lasting order:
        `after` is the last one's `number`. Without `contacts` a phone number or e-mail address must be given whole."""
        where, values = _where(org, chosen)
        if "@" in text and not contacts:
            return self._with_email(text.strip(), org, where, values, after, limit)
        expression = match_expression(text, contacts=contacts)
        if not expression:
            return []
        rows = self.rows(
            f"""SELECT e.number, {_PERSON_OF_E}, p.customer, {_PROFILE_OF_P}
                FROM people_search f CROSS JOIN people e ON e.number = f.rowid
                CROSS JOIN profiles p ON p.org = e.org AND p.customer = e.customer
                WHERE people_search MATCH ? AND f.rowid > ? AND e.org = ? AND e.erased_at IS NULL {where}
                ORDER BY f.rowid LIMIT ?""",
            (expression, after, org, *values, limit),
        )
        return [_customer_row(org, row) for row in rows]

    def _with_email(
        self, email: str, org: str, where: str, values: tuple[Cell, ...], after: int, limit: int
    ) -> list[CustomerRow]:
        rows = self.rows(
            f"""SELECT e.number, {_PERSON_OF_E}, p.customer, {_PROFILE_OF_P}
                FROM people e CROSS JOIN profiles p ON p.org = e.org AND p.customer = e.customer
                WHERE e.org = ? AND lower(e.email) = lower(?) AND e.email IS NOT NULL AND e.number > ? {where}
                ORDER BY e.number LIMIT ?""",
            (org, email, after, *values, limit),
        )
        return [_customer_row(org, row) for row in rows]

    def profiles(self, org: str) -> Iterator[Document]:
        """Every customer's document, in order of customer id, without holding them all in memory."""
        after = ""
        while True:
            rows = self.rows(
                f"""SELECT customer, {_PROFILE_COLUMNS} FROM profiles WHERE org = ? AND customer > ?
                    ORDER BY customer LIMIT {ROWS_AT_ONCE}""",
                (org, after),
            )
            for customer, *fields in rows:
                yield document_of(org, str(customer), profile_of(tuple(fields)))
            if len(rows) < ROWS_AT_ONCE:
                return
            after = str(rows[-1][0])

    def entries(
        self, org: str, customer: str, *, limit: int = 100, after: tuple[int, int, str] | None = None
    ) -> list[CustomerEntry]:
        """How the customer's points came about, newest first. `after`: the last one's epoch, version and id."""
        beyond = "" if after is None else "AND (epoch, version, id) < (?, ?, ?)"
        rows = self.rows(
            f"""SELECT at, {_ENTRY_COLUMNS} FROM entries WHERE org = ? AND customer = ? {beyond}
                ORDER BY epoch DESC, version DESC, id DESC LIMIT ?""",
            (org, customer, *(after or ()), limit),
        )
        return [CustomerEntry(org, customer, number(at), _entry(tuple(e))) for at, *e in rows]

    def person(self, org: str, customer: str) -> Person | None:
        """Name and contact data; None when nothing is known."""
        sql = "SELECT org, customer, name, phones, email, erased_at FROM people WHERE org = ? AND customer = ?"
        return next((person_of(row) for row in self.rows(sql, (org, customer))), None)

    def contact_read_at(self, org: str, customer: str) -> int | None:
        """When the point of sale was last asked about the customer's contact data (UTC ms)."""
        rows = self.rows("SELECT observed_at FROM people WHERE org = ? AND customer = ?", (org, customer))
        return number(rows[0][0]) if rows else None

    def customers_at_phone(self, org: str, phone: str, *, limit: int = 10) -> list[str]:
        """Ids of the customers who answer this number (E.164)."""
        sql = "SELECT customer FROM phones WHERE org = ? AND phone = ? ORDER BY customer LIMIT ?"
        return [str(customer) for (customer,) in self.rows(sql, (org, phone, limit))]

    def customers_at_email(self, org: str, email: str, *, limit: int = 10) -> list[str]:
        """Ids of the customers with this e-mail address, whatever its case."""
        rows = self.rows(
            """SELECT customer FROM people WHERE org = ? AND lower(email) = lower(?) AND email IS NOT NULL
               ORDER BY number LIMIT ?""",  # as the index has them: by customer, all of the org would be read
            (org, email, limit),
        )
        return [str(customer) for (customer,) in rows]

    def search(self, text: str, *, org: str | None = None, limit: int = 20) -> list[Person]:
        """People whose name, e-mail, phone number or customer id has words that begin like those in `text`."""
        expression = match_expression(text)
        if not expression:
            return []
        rows = self.rows(
            """SELECT p.org, p.customer, p.name, p.phones, p.email, p.erased_at
               FROM people_search JOIN people p ON p.number = people_search.rowid
               WHERE people_search MATCH ? AND p.erased_at IS NULL AND (?2 IS NULL OR p.org = ?2)
               ORDER BY people_search.rank, p.org, p.customer LIMIT ?3""",
            (expression, org, limit),
        )
        return [person_of(row) for row in rows]

    def compared(self, org: str) -> Iterator[Row]:
        """What a preview of other settings needs of every customer: customer, points_from_orders, points_from_alpine,
        discrepancy, tier, tier_source, verdict, total_spent_minor."""
        after = ""
        while True:
            rows = self.rows(
                f"""SELECT customer, points_from_orders, points_from_alpine, discrepancy, tier, tier_source, verdict,
                           total_spent_minor FROM profiles WHERE org = ? AND customer > ?
                    ORDER BY customer LIMIT {ROWS_AT_ONCE}""",
                (org, after),
            )
            yield from rows
            if len(rows) < ROWS_AT_ONCE:
                return
            after = str(rows[-1][0])


def profile_of(row: Row) -> Profile:
    """A profile from its columns."""
    fields: dict[str, Cell] = dict(zip(Profile.__struct_fields__, row, strict=True))
    return msgspec.convert(fields | {flag: bool(fields[flag]) for flag in _FLAGS}, Profile)


def person_of(row: Row) -> Person:
    """A person from org, customer, name, phones, email and erased_at."""
    fields = dict(zip(Person.__match_args__, row, strict=True))
    return msgspec.convert(fields | {"phones": _json(str(fields["phones"]))}, Person)


def _index(chosen: Chosen) -> str:
    """Named, not guessed: without statistics SQLite takes the table's own key for as good, and reads all of an org."""
    named = next((index for name, index in _INDEXES.items() if getattr(chosen, name) is not None), None)
    return f"INDEXED BY {named}" if named else ""


def _where(org: str, chosen: Chosen) -> tuple[str, tuple[Cell, ...]]:
    terms, values = [], []
    for name, term in _FILTERS.items():
        value: str | None = getattr(chosen, name)
        if value is not None:
            terms.append(f" AND {term}")
            values.append(value)
    if chosen.case is not None:
        terms.append(f" AND {_CASES[chosen.case]}")
        values.append(org)
    return "".join(terms), tuple(values)


def _customer_row(org: str, row: Row) -> CustomerRow:
    person = person_of(row[1:7]) if row[1] is not None else None
    return CustomerRow(org, str(row[7]), profile_of(row[8:]), person, number(row[0]))


def _entry(row: Row) -> PointsEntry:
    return msgspec.convert(dict(zip(PointsEntry.__struct_fields__, row, strict=True)), PointsEntry)
