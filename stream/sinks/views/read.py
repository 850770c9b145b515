"""The views' read side: what API, dashboard, command line and agent tool ask.

Any thread of any process may read while the follower writes; each answer is of one moment, between two batches.
"""

from __future__ import annotations

import msgspec

from stream.contracts.settings import OrgSettings, SettingsInForce
from stream.sinks.views.connection import Row, number
from stream.sinks.views.customers import CustomerQueries
from stream.sinks.views.happenings import HappeningQueries
from stream.sinks.views.permissions import PermissionQueries
from stream.sinks.views.shown import OrgFigures, Provider, SettingsVersion, Stats

_json = msgspec.json.decode
# Jumps from one org to the next instead of reading every row.
_ORGS_OF = """
WITH RECURSIVE o (org) AS (
    SELECT (SELECT min(org) FROM {0})
    UNION ALL SELECT (SELECT min(t.org) FROM {0} t WHERE t.org > o.org) FROM o WHERE o.org IS NOT NULL)
SELECT org FROM o WHERE org IS NOT NULL"""

_SUMS_BY = "SELECT {0}, sum(customers) FROM profile_sums WHERE org = ? AND customers > 0 GROUP BY {0}"


class Views(CustomerQueries, HappeningQueries, PermissionQueries):
    """Reads a views file. Opens it with the first question; raises Unreachable then when there is none."""

    def orgs(self) -> list[str]:
        """Every org that has settings, profiles or runs, in alphabetical order."""
        found: set[str] = set()
        for table in ("settings", "profiles", "runs"):
            found.update(str(org) for (org,) in self.rows(_ORGS_OF.format(table)))
        return sorted(found)

    def known(self, org: str) -> bool:
        """Whether an org has settings, profiles or runs."""
        tables = ("settings", "profiles", "runs")
        exists = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE org = ?1)" for table in tables)
        return bool(self.rows(f"SELECT {exists}", (org,))[0][0])

    def stats(self, org: str) -> Stats:
        """The brief's figures."""
        total, with_alpine, matched, discrepancies, last = self.rows(
            """SELECT coalesce(sum(customers), 0), coalesce(sum(with_alpine), 0),
                      coalesce(sum(customers) FILTER (WHERE verdict = 'matched'), 0),
                      coalesce(sum(customers) FILTER (WHERE verdict = 'discrepancy'), 0),
                      (SELECT max(ended_at) FROM runs WHERE org = ?1 AND outcome = 'completed' AND kind <> 'customer')
               FROM profile_sums WHERE org = ?1""",
            (org,),
        )[0]
        counts = msgspec.convert((total, with_alpine, total, matched, discrepancies), tuple[int, int, int, int, int])
        return Stats(*counts, last_sync_ms=msgspec.convert(last, int | None))

    def figures(self, org: str) -> OrgFigures:
        """Sums over an org's customers and live cases."""
        row = self.rows(
            """SELECT (SELECT coalesce(sum(points), 0) FROM profile_sums WHERE org = ?1),
                      (SELECT count(*) FROM cases WHERE org = ?1 AND live = 1),
                      (SELECT coalesce(sum(weight), 0) FROM cases WHERE org = ?1 AND live = 1)""",
            (org,),
        )[0]
        return OrgFigures(*msgspec.convert(row, tuple[int, int, int]))

    def verdicts(self, org: str) -> dict[str, int]:
        """How many customers have each verdict."""
        return self._counts(_SUMS_BY.format("verdict"), org)

    def tiers(self, org: str) -> dict[str, int]:
        """How many customers have each tier."""
        return self._counts(_SUMS_BY.format("tier"), org)

    def shops(self, org: str) -> dict[str, int]:
        """How many customers each shop (home location) has; those without one are not counted."""
        return {shop: count for shop, count in self._counts(_SUMS_BY.format("shop"), org).items() if shop}

    def freshness(self, org: str) -> dict[str, int]:
        """Up to when (UTC ms) everything of a source has been observed: `alleaves` by the poller, `orders` and
        `balances` by whole sweeps. A source that was never read is absent."""
        return self._counts("SELECT source, as_of FROM freshness WHERE org = ?", org)

    def provider(self, org: str) -> Provider | None:
        """Whether the org's provider answers; None when it was never reported otherwise."""
        rows = self.rows("SELECT org, available, since, reason FROM providers WHERE org = ?", (org,))
        return msgspec.convert(rows[0], _ProviderRow).provider() if rows else None

    def settings(self, org: str) -> SettingsInForce | None:
        """The org's settings in force; None before its first."""
        rows = self.rows("SELECT version, settings FROM settings WHERE org = ?", (org,))
        if not rows:
            return None
        return msgspec.convert({"version": rows[0][0], "settings": _json(str(rows[0][1]))}, SettingsInForce)

    def settings_versions(self, org: str, *, before: int | None = None, limit: int = 100) -> list[SettingsVersion]:
        """Versions of the org's settings, newest first; up to the one in force."""
        rows = self.rows(
            """SELECT version, at, in_force, by, reason, settings FROM settings_versions
               WHERE org = ?1 AND version <= (SELECT version FROM settings WHERE org = ?1)
                 AND (?2 IS NULL OR version < ?2)
               ORDER BY version DESC LIMIT ?3""",
            (org, before, limit),
        )
        return [_version(row) for row in rows]

    def settings_version(self, org: str, version: int) -> SettingsVersion | None:
        """One version of the org's settings; None when it is not known (any more)."""
        found = self.settings_versions(org, before=version + 1, limit=1)
        return found[0] if found and found[0].version == version else None

    def _counts(self, sql: str, org: str) -> dict[str, int]:
        return {str(name): number(count) for name, count in self.rows(sql, (org,))}


class _ProviderRow(msgspec.Struct, array_like=True):
    org: str
    available: int
    since: int
    reason: str | None

    def provider(self) -> Provider:
        return Provider(self.org, bool(self.available), self.since, self.reason)


def _version(row: Row) -> SettingsVersion:
    version, at, in_force, by, reason, settings = row
    who = (None if by is None else str(by), None if reason is None else str(reason))
    return SettingsVersion(
        number(version), number(at), bool(in_force), *who, msgspec.json.decode(str(settings), type=OrgSettings)
    )
