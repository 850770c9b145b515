"""`access`: who may call. Compacted; what is revoked stays, so that it is known to have been; sessions go.

Keys: `org:key:ID` for an API key, `*:account:NAME` for a user's password, `org:user:NAME` for a user's role in an org,
`*:session:HASH` and `*:used:HASH` for a browser's session and when it was last used (two records, so that a late use
cannot bring back a session that has ended). The org `*` stands for every org. No record holds a secret: keys and
sessions' tokens are random and stored as SHA-256, passwords as argon2.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from stream.contracts.envelope import Vocabulary
from stream.errors import BadRecord

ALL_ORGS = "*"
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


class Role(StrEnum):
    """What somebody may do in an org; each may all that the ones before may.

    `viewer` sees everything but phones and e-mail addresses, `support` those too, syncs customers and works on cases;
    `manager` also decides: accepts and resolves differences, syncs the org, changes settings; `admin` gives access too.
    """

    VIEWER = "viewer"
    SUPPORT = "support"
    MANAGER = "manager"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """0 for viewer, rising."""
        return _RANKS[self]


_RANKS = {role: rank for rank, role in enumerate(Role)}


class ApiKey(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A program's key for one org (or `*`). `hash`: SHA-256 of the secret, in hex. Times UTC ms; `expires_at` None:
    never. The envelope's org is the one that it is for."""

    id: str
    name: str
    role: Role
    hash: str
    created_at: int
    created_by: str
    expires_at: int | None = None
    revoked_at: int | None = None


class Account(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A person who logs in. `password`: argon2's encoded hash. Sessions begun before `password_at` have ended."""

    name: str
    password: str
    password_at: int
    created_at: int
    created_by: str
    disabled_at: int | None = None


class Membership(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person's role in the envelope's org (or `*`); None: none any more."""

    name: str
    role: Role | None


class Session(msgspec.Struct, frozen=True):
    """A browser that logged in. `hash`: SHA-256 of its token, in hex. `who`: the principal's id. UTC ms."""

    hash: str
    who: str
    began_at: int


class SessionUsed(msgspec.Struct, frozen=True):
    """When a session was used, to the hour (UTC ms); nothing where the session is not known."""

    hash: str
    used_at: int


Body = ApiKey | Account | Membership | Session | SessionUsed


def user_name(text: str) -> str:
    """`text` as the name of a user. Raises `BadRecord` when it is not `[a-z0-9][a-z0-9._@+-]{0,63}`."""
    if not _NAME.fullmatch(text):
        raise BadRecord(f"user name {text[:80]!r} is not 1 to 64 of a-z, 0-9, . _ @ + and -")
    return text


def access_key(org: str, body: Body) -> bytes:
    """The record's key."""
    match body:
        case ApiKey():
            return f"{org}:key:{body.id}".encode()
        case Account():
            return f"{ALL_ORGS}:account:{body.name}".encode()
        case Membership():
            return f"{org}:user:{body.name}".encode()
        case Session(hash=name):
            return session_keys(name)[0]
        case SessionUsed(hash=name):
            return session_keys(name)[1]


def session_keys(name: str) -> tuple[bytes, bytes]:
    """The keys of a session's records, by the hash of its token: empty records under both end it."""
    return f"{ALL_ORGS}:session:{name}".encode(), f"{ALL_ORGS}:used:{name}".encode()


ACCESS = Vocabulary(ApiKey, Account, Membership, Session, SessionUsed)
