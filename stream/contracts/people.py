"""`people`: names and contact data. Key `org:customer`, compacted; the only lasting topic with personal data.

Erasure is a `PersonErased`, which producers read and respect.
"""

from __future__ import annotations

import msgspec

from stream.contracts.envelope import Vocabulary


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """A customer's name and contact data as the point of sale has them; phones in E.164 where readable."""

    name: str
    phones: tuple[str, ...] = ()
    email: str | None = None
    observed_at: int = 0


class PersonErased(msgspec.Struct, frozen=True, omit_defaults=True):
    """Forgotten; must not be filled again from the point of sale."""

    erased_at: int


PEOPLE = Vocabulary(Person, PersonErased)
