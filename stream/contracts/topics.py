"""The one list of topics. Names here are without the prefix (`loyalty.`), which is configuration."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

DAY_MS = 86_400_000


class Kept(StrEnum):
    """How long records stay: for ever, the last one per key, or for a number of days."""

    ALL = "all"
    COMPACTED = "compacted"
    DAYS = "days"


@dataclass(frozen=True)
class Topic:
    """A topic: `days` counts where `kept` is days; `max_message_bytes` where it differs from the broker's."""

    name: str
    kept: Kept
    days: int = 0
    max_message_bytes: int = 1 << 20

    @property
    def config(self) -> dict[str, str]:
        """Kafka's topic configuration."""
        compacted = self.kept is Kept.COMPACTED
        retention = self.days * DAY_MS if self.kept is Kept.DAYS else -1
        return {
            "cleanup.policy": "compact" if compacted else "delete",
            "retention.ms": str(retention),
            "max.message.bytes": str(self.max_message_bytes),
        }


FACTS = Topic("facts", Kept.ALL)
PEOPLE = Topic("people", Kept.COMPACTED)
IDENTITIES = Topic("identities", Kept.DAYS, 30)
COMMANDS = Topic("commands", Kept.DAYS, 7)
SETTINGS = Topic("settings", Kept.COMPACTED)
PROFILES = Topic("profiles", Kept.COMPACTED)
ENTRIES = Topic("entries", Kept.ALL)
CASES = Topic("cases", Kept.COMPACTED)
ALERTS = Topic("alerts", Kept.DAYS, 30)
RUNS = Topic("runs", Kept.DAYS, 90)
CURSORS = Topic("cursors", Kept.COMPACTED)
DELIVERIES = Topic("deliveries", Kept.COMPACTED)
ACCESS = Topic("access", Kept.COMPACTED)
AUDIT = Topic("audit", Kept.ALL)
# Takes what any other topic can hold, and its headers.
DEAD_LETTERS = Topic("dead-letters", Kept.DAYS, 30, max_message_bytes=(1 << 20) + (64 << 10))
ACCOUNTS_CHANGELOG = Topic("accounts-changelog", Kept.COMPACTED)
CONTACTS_CHANGELOG = Topic("contacts-changelog", Kept.COMPACTED)
RUNS_CHANGELOG = Topic("runs-changelog", Kept.COMPACTED)

ALL = (
    FACTS,
    PEOPLE,
    IDENTITIES,
    COMMANDS,
    SETTINGS,
    PROFILES,
    ENTRIES,
    CASES,
    ALERTS,
    RUNS,
    CURSORS,
    DELIVERIES,
    ACCESS,
    AUDIT,
    DEAD_LETTERS,
    ACCOUNTS_CHANGELOG,
    CONTACTS_CHANGELOG,
    RUNS_CHANGELOG,
)
