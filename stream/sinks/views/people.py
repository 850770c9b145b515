"""Rows of people, and how one is searched for by name, e-mail address, phone number or customer id."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

import msgspec

from stream.contracts.envelope import Event
from stream.contracts.people import Person, PersonErased

Row = tuple[str, str, str, str, str | None, int, int | None, str]
"""org, customer, name, phones, email, observed_at, erased_at, phone_terms"""

NATIONAL_DIGITS = 10
LAST_DIGITS = 4
MIN_PHONE_DIGITS = 4
MOST_WORDS = 20
"""Of a search; nobody has more names, and a thousand words would take the file minutes."""

_encode = msgspec.json.Encoder().encode


def row_of(event: Event[Any]) -> Row:
    """The row of a Person or PersonErased; an erased one keeps nothing but that it was erased."""
    body: Person | PersonErased = event.data
    if isinstance(body, PersonErased):
        return (event.org, event.customer, "", "[]", None, body.erased_at, body.erased_at, "")
    return (
        event.org,
        event.customer,
        body.name,
        _encode(body.phones).decode(),
        body.email,
        body.observed_at,
        None,
        phone_terms(body.phones),
    )


def stays_erased(stored: Row, new: Row) -> bool:
    """`stored` is an erasure and `new` was observed before it: it must not bring the data back."""
    erased_at = stored[6]
    return erased_at is not None and new[6] is None and new[5] <= erased_at


def phone_terms(phones: tuple[str, ...]) -> str:
    """The ways in which a number is typed: with country code, without it, and its last four digits."""
    terms: list[str] = []
    for phone in phones:
        digits = re.sub(r"\D", "", phone)
        for term in (digits, digits[-NATIONAL_DIGITS:], digits[-LAST_DIGITS:]):
            if term and term not in terms:
                terms.append(term)
    return " ".join(terms)


def match_expression(text: str, *, contacts: bool = True) -> str:
    """`text` as an FTS5 query: every word must begin a word of the person; a phone number counts as one word.

    Without `contacts` a number must be given whole (or its last four digits, which are shown to everybody), and e-mail
    addresses are not looked at: who does not see contact data must not find it out digit by digit. Empty when there is
    nothing to search for.
    """
    digits = re.sub(r"\D", "", text)
    if len(digits) >= MIN_PHONE_DIGITS and not re.search(r"[^\W\d_]|@", text):
        return f'"{digits}"*' if contacts else f'{{customer}} : ("{digits}"*) OR {{phone_terms}} : ("{digits}")'
    words = [f'"{word[0]}"*' for word in islice(re.finditer(r"\w+", text), MOST_WORDS)]
    return " ".join(words) if contacts or not words else f"{{customer name}} : ({' AND '.join(words)})"
