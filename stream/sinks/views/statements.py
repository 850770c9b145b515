"""What single records of `access`, `audit`, `deliveries`, `cursors` and `settings` change, one after the other.

They are few; profiles, people, cases and entries, which are many, go in rows (see `rows`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from stream.contracts.access import Account, ApiKey, Membership, Session, SessionUsed
from stream.contracts.audit import Action, Audited
from stream.contracts.cursors import Cursor
from stream.contracts.deliveries import Delivery
from stream.contracts.envelope import Event
from stream.contracts.settings import SettingsInForce

Cell = str | int | None
Statement = tuple[str, tuple[Cell, ...]]

FRESH = """
INSERT INTO freshness VALUES (?, ?, ?)
ON CONFLICT (org, source) DO UPDATE SET as_of = max(as_of, excluded.as_of)"""
API_KEY = "INSERT OR REPLACE INTO api_keys VALUES (?, ?, ?)"
ACCOUNT = "INSERT OR REPLACE INTO accounts VALUES (?, ?)"
MEMBER = "INSERT OR REPLACE INTO memberships (name, org, role) VALUES (?, ?, ?)"
NO_MEMBER = "DELETE FROM memberships WHERE name = ? AND org = ?"
SESSION = """
INSERT INTO sessions VALUES (?, ?, ?, ?)
ON CONFLICT (hash) DO UPDATE SET who = excluded.who, began_at = excluded.began_at"""
SESSION_USED = """
INSERT INTO sessions VALUES (?, NULL, 0, ?)
ON CONFLICT (hash) DO UPDATE SET used_at = max(used_at, excluded.used_at)"""
AUDITED = "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
DECIDED = """
INSERT INTO letter_decisions VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (content) DO UPDATE SET
    through = excluded.through, decision = excluded.decision, at = excluded.at, by = excluded.by
WHERE excluded.at >= at"""
DELIVERY = "INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?, ?, ?, ?)"
SETTINGS = """
INSERT INTO settings VALUES (?, ?, ?)
ON CONFLICT (org) DO UPDATE SET version = excluded.version, settings = excluded.settings
WHERE excluded.version > settings.version"""
# What was in force is the truth; the audit adds who wanted it and why, and versions that compaction has removed. Two
# may ask for one version at the same moment, on two copies of the web role: it is of who asked for what is in force.
_WANTED = """(SELECT a.{} FROM audit a WHERE a.org = excluded.org AND a.action = 'settings.change'
    AND a.target = CAST(excluded.version AS TEXT) AND json_extract(a.detail, '$.settings') = excluded.settings
    ORDER BY a.at DESC, a.id DESC LIMIT 1)"""
VERSION = f"""
INSERT INTO settings_versions (org, version, at, in_force, settings) VALUES (?, ?, ?, 1, ?)
ON CONFLICT (org, version) DO UPDATE SET at = excluded.at, in_force = 1, settings = excluded.settings,
    by = CASE WHEN settings = excluded.settings THEN by ELSE {_WANTED.format("actor")} END,
    reason = CASE WHEN settings = excluded.settings THEN reason ELSE {_WANTED.format("reason")} END"""
ASKED = """
INSERT INTO settings_versions (org, version, at, in_force, by, reason, settings) VALUES (?, ?, ?, 0, ?, ?, ?)
ON CONFLICT (org, version) DO UPDATE SET by = coalesce(by, excluded.by), reason = coalesce(reason, excluded.reason)
WHERE settings = excluded.settings"""

_encode = msgspec.json.Encoder(decimal_format="string").encode


def of_access(event: Event[Any]) -> list[Statement]:
    """A key, an account, a membership or a session."""
    match event.data:
        case ApiKey() as key:
            return [(API_KEY, (key.id, event.org, _json(key)))]
        case Account() as account:
            return [(ACCOUNT, (account.name, _json(account)))]
        case Membership(name=name, role=role):
            gone = (NO_MEMBER, (name, event.org))
            return [gone if role is None else (MEMBER, (name, event.org, role.value))]
        case Session(hash=name, who=who, began_at=began):
            return [(SESSION, (name, who, began, began))]
        case SessionUsed(hash=name, used_at=used):
            return [(SESSION_USED, (name, used))]
    return []


def removed_access(key: str) -> list[Statement]:
    """The record with this key is no more."""
    org, kind, name = key.split(":", 2)
    removals: dict[str, Statement] = {
        "key": ("DELETE FROM api_keys WHERE id = ?", (name,)),
        "account": ("DELETE FROM accounts WHERE name = ?", (name,)),
        "user": (NO_MEMBER, (name, org)),
        "session": ("DELETE FROM sessions WHERE hash = ?", (name,)),
        "used": ("DELETE FROM sessions WHERE hash = ? AND who IS NULL", (name,)),
    }
    return [removals[kind]]


def of_audit(event: Event[Any]) -> list[Statement]:
    """An entry of the audit, and what it decides about a dead letter or says of a version of the settings."""
    entry: Audited = event.data
    values = (entry.action.value, entry.actor, entry.target, entry.reason, _json(entry.detail))
    statements: list[Statement] = [(AUDITED, (event.org, event.at, entry.id, *values))]
    if entry.action in (Action.LETTER_RETRIED, Action.LETTER_DISCARDED) and entry.target and "content" in entry.detail:
        statements.append((DECIDED, (*_letter_decided(entry, entry.target), event.at, entry.actor)))
    if entry.action is Action.SETTINGS_CHANGED and "settings" in entry.detail:
        asked = (event.org, int(entry.detail["version"]), event.at, entry.actor, entry.reason, entry.detail["settings"])
        statements.append((ASKED, asked))
    return statements


def _letter_decided(entry: Audited, place: str) -> tuple[Cell, ...]:
    partition = place.partition(":")[0]
    through = entry.detail["through"]
    return entry.detail["content"], int(partition), int(through), entry.action.value.partition(".")[2]


def of_delivery(event: Event[Any]) -> list[Statement]:
    """How a message to a channel stands."""
    sent: Delivery = event.data
    at = sent.last_at or sent.first_at or event.at
    return [(DELIVERY, (event.org, sent.message, sent.channel, at, sent.outcome.value, _json(sent)))]


def of_cursor(event: Event[Any]) -> list[Statement]:
    """How far a producer has got."""
    cursor: Cursor = event.data
    return [(FRESH, (event.org, event.source, cursor.through))]


def of_settings(event: Event[Any]) -> list[Statement]:
    """Settings in force."""
    given: SettingsInForce = event.data
    text = _json(given.settings)
    return [
        (SETTINGS, (event.org, given.version, text)),
        (VERSION, (event.org, given.version, event.at, text)),
    ]


def _json(value: object) -> str:
    return _encode(value).decode()
