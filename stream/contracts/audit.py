"""`audit`: who changed what, when and why. Key `org` (or `*`), kept for ever. Holds no personal data and no secret."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from stream.contracts.envelope import Vocabulary


class Action(StrEnum):
    """What was done: the thing and the verb."""

    RUN_REQUESTED = "run.requested"
    CASE_ACKNOWLEDGED = "case.acknowledge"
    CASE_ACCEPTED = "case.accept"
    CASE_SILENCED = "case.silence"
    CASE_NOTED = "case.note"
    CASE_ASSIGNED = "case.assign"
    CASE_RESOLVED = "case.resolve"
    CUSTOMER_ERASED = "customer.erase"
    SETTINGS_CHANGED = "settings.change"
    LETTER_RETRIED = "dead_letter.retry"
    LETTER_DISCARDED = "dead_letter.discard"
    KEY_CREATED = "key.create"
    KEY_REVOKED = "key.revoke"
    USER_SET = "user.set"
    PASSWORD_CHANGED = "user.password"
    USER_DISABLED = "user.disable"
    USER_ENABLED = "user.enable"


class Audited(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One change that a person or a program made. The envelope says when and in which org.

    `id` is the same when the same change is published again. `actor`: `user:NAME`, `key:ID`, `local` (whoever may read
    the data folder) or `cli:NAME`. `target`: what was changed, by its id. `detail`: what to, text → text.
    """

    id: str
    action: Action
    actor: str
    target: str | None = None
    reason: str | None = None
    detail: dict[str, str] = msgspec.field(default_factory=dict)


AUDIT = Vocabulary(Audited)
