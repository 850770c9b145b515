"""The tables of the views. Raise `SCHEMA_VERSION` with every change: an older file is thrown away and rebuilt.

Columns of `profiles` and `entries` have the names and the order of their contract's fields. Cases, alerts, deliveries
and settings are kept as the JSON of their contract, with the columns beside it that lists are ordered and filtered by.
Times are UTC milliseconds, booleans 0 and 1, what is unknown NULL. `tally`, `phases`, `phones`, `detail` are JSON.
"""

from __future__ import annotations

SCHEMA_VERSION = 8

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- How far each partition has been read, and the last record taken from it.
CREATE TABLE positions (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
    anchor_offset INTEGER, anchor_timestamp INTEGER,
    PRIMARY KEY (topic, partition)) STRICT, WITHOUT ROWID;

CREATE TABLE profiles (
    org TEXT NOT NULL, customer TEXT NOT NULL,
    points INTEGER NOT NULL, points_from_orders INTEGER NOT NULL, points_from_alpine INTEGER,
    calculated_at INTEGER NOT NULL, tier TEXT NOT NULL, tier_source TEXT NOT NULL, verdict TEXT NOT NULL,
    discrepancy INTEGER, alpine_user_id TEXT, total_spent_minor INTEGER NOT NULL, currency TEXT NOT NULL,
    order_count INTEGER NOT NULL, balance_as_of INTEGER, home_location TEXT, moved_points INTEGER,
    redeemed_points INTEGER, adjusted_points INTEGER, expired_points INTEGER,
    equity INTEGER NOT NULL, tier_differs INTEGER NOT NULL, matched_by TEXT, settings_version INTEGER NOT NULL,
    epoch INTEGER NOT NULL, version INTEGER NOT NULL, export INTEGER NOT NULL,
    PRIMARY KEY (org, customer)) STRICT, WITHOUT ROWID;
-- In order of customer id, by which lists are paged.
CREATE INDEX profiles_by_verdict ON profiles (org, verdict, customer);
-- How many customers of each kind there are, kept by the triggers: figures cost the same however many there are.
CREATE TABLE profile_sums (
    org TEXT NOT NULL, verdict TEXT NOT NULL, tier TEXT NOT NULL, shop TEXT NOT NULL, matched_by TEXT NOT NULL,
    customers INTEGER NOT NULL, with_alpine INTEGER NOT NULL, points INTEGER NOT NULL,
    PRIMARY KEY (org, verdict, tier, shop, matched_by)) STRICT, WITHOUT ROWID;
CREATE TRIGGER profile_counted AFTER INSERT ON profiles BEGIN
    INSERT INTO profile_sums VALUES (new.org, new.verdict, new.tier, coalesce(new.home_location, ''),
        coalesce(new.matched_by, ''), 1, new.points_from_alpine IS NOT NULL, new.points)
    ON CONFLICT DO UPDATE SET customers = customers + 1, with_alpine = with_alpine + excluded.with_alpine,
        points = points + excluded.points;
END;
CREATE TRIGGER profile_discounted AFTER DELETE ON profiles BEGIN
    UPDATE profile_sums SET customers = customers - 1,
        with_alpine = with_alpine - (old.points_from_alpine IS NOT NULL), points = points - old.points
    WHERE org = old.org AND verdict = old.verdict AND tier = old.tier AND shop = coalesce(old.home_location, '')
        AND matched_by = coalesce(old.matched_by, '');
END;
CREATE TRIGGER profile_recounted AFTER UPDATE ON profiles
WHEN old.verdict <> new.verdict OR old.tier <> new.tier OR old.home_location IS NOT new.home_location
    OR old.matched_by IS NOT new.matched_by OR old.points <> new.points
    OR (old.points_from_alpine IS NULL) <> (new.points_from_alpine IS NULL) BEGIN
    UPDATE profile_sums SET customers = customers - 1,
        with_alpine = with_alpine - (old.points_from_alpine IS NOT NULL), points = points - old.points
    WHERE org = old.org AND verdict = old.verdict AND tier = old.tier AND shop = coalesce(old.home_location, '')
        AND matched_by = coalesce(old.matched_by, '');
    INSERT INTO profile_sums VALUES (new.org, new.verdict, new.tier, coalesce(new.home_location, ''),
        coalesce(new.matched_by, ''), 1, new.points_from_alpine IS NOT NULL, new.points)
    ON CONFLICT DO UPDATE SET customers = customers + 1, with_alpine = with_alpine + excluded.with_alpine,
        points = points + excluded.points;
END;
CREATE INDEX profiles_by_tier ON profiles (org, tier, customer);
CREATE INDEX profiles_by_shop ON profiles (org, home_location, customer);
CREATE INDEX profiles_to_review ON profiles (org, abs(discrepancy) DESC, customer) WHERE verdict = 'discrepancy';

CREATE TABLE people (
    number INTEGER PRIMARY KEY, org TEXT NOT NULL, customer TEXT NOT NULL,
    name TEXT NOT NULL, phones TEXT NOT NULL, email TEXT, observed_at INTEGER NOT NULL, erased_at INTEGER,
    phone_terms TEXT NOT NULL,
    UNIQUE (org, customer)) STRICT;
CREATE INDEX people_by_email ON people (org, lower(email)) WHERE email IS NOT NULL;
-- Who answers a number, written as in `people` (E.164 where it could be read).
CREATE TABLE phones (
    org TEXT NOT NULL, phone TEXT NOT NULL, customer TEXT NOT NULL,
    PRIMARY KEY (org, phone, customer)) STRICT, WITHOUT ROWID;
CREATE INDEX phones_of_customer ON phones (org, customer);
CREATE VIRTUAL TABLE people_search USING fts5 (
    customer, name, email, phone_terms, content='people', content_rowid='number',
    tokenize="unicode61 remove_diacritics 2", prefix='2 3 4');
CREATE TRIGGER people_added AFTER INSERT ON people BEGIN
    INSERT INTO people_search (rowid, customer, name, email, phone_terms)
    VALUES (new.number, new.customer, new.name, new.email, new.phone_terms);
    INSERT OR IGNORE INTO phones SELECT new.org, value, new.customer FROM json_each(new.phones);
END;
CREATE TRIGGER people_removed AFTER DELETE ON people BEGIN
    DELETE FROM phones WHERE org = old.org AND customer = old.customer;
    INSERT INTO people_search (people_search, rowid, customer, name, email, phone_terms)
    VALUES ('delete', old.number, old.customer, old.name, old.email, old.phone_terms);
END;
CREATE TRIGGER people_changed AFTER UPDATE ON people
WHEN old.name IS NOT new.name OR old.email IS NOT new.email OR old.phone_terms IS NOT new.phone_terms BEGIN
    INSERT INTO people_search (people_search, rowid, customer, name, email, phone_terms)
    VALUES ('delete', old.number, old.customer, old.name, old.email, old.phone_terms);
    INSERT INTO people_search (rowid, customer, name, email, phone_terms)
    VALUES (new.number, new.customer, new.name, new.email, new.phone_terms);
END;
CREATE TRIGGER phones_changed AFTER UPDATE ON people WHEN old.phones IS NOT new.phones BEGIN
    DELETE FROM phones WHERE org = old.org AND customer = old.customer;
    INSERT OR IGNORE INTO phones SELECT new.org, value, new.customer FROM json_each(new.phones);
END;

-- Clustered by customer, newest last: an account's history is one range.
CREATE TABLE entries (
    org TEXT NOT NULL, customer TEXT NOT NULL, at INTEGER NOT NULL,
    id TEXT NOT NULL, cause TEXT NOT NULL, delta_minor INTEGER NOT NULL, delta_points INTEGER NOT NULL,
    points_after INTEGER NOT NULL, tier TEXT NOT NULL, settings_version INTEGER NOT NULL, "order" TEXT,
    amount_minor INTEGER, why_not TEXT, ordered_at INTEGER, epoch INTEGER NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (org, customer, epoch, version, id)) STRICT, WITHOUT ROWID;

-- `live`: not resolved. `weight`: unexplained points, without sign: how much the case matters.
CREATE TABLE cases (
    org TEXT NOT NULL, customer TEXT NOT NULL, number INTEGER NOT NULL,
    live INTEGER NOT NULL, state TEXT NOT NULL, weight INTEGER NOT NULL, opened_at INTEGER NOT NULL,
    assigned_to TEXT, epoch INTEGER NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (org, customer, number)) STRICT, WITHOUT ROWID;
CREATE INDEX cases_by_weight ON cases (org, live, weight DESC, customer, number);
CREATE INDEX cases_by_state ON cases (org, state, weight DESC, customer, number);
CREATE INDEX cases_of_live ON cases (org, live, customer);
CREATE INDEX cases_by_time ON cases (org, opened_at DESC, customer, number);

-- (partition, offset) is the place in the topic: where a reader left off, whatever the views were rebuilt from.
CREATE TABLE alerts (
    id TEXT PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, org TEXT NOT NULL, customer TEXT,
    partition INTEGER NOT NULL, "offset" INTEGER NOT NULL, alert TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_by_time ON alerts (org, at DESC);
CREATE INDEX alerts_by_kind ON alerts (org, kind, at DESC);
CREATE INDEX alerts_by_age ON alerts (at DESC);
CREATE INDEX alerts_by_place ON alerts (org, partition, "offset");

-- `outcome`: completed or failed, NULL while it is under way; `answer`: of a one-customer run.
CREATE TABLE runs (
    run TEXT PRIMARY KEY, org TEXT NOT NULL, kind TEXT NOT NULL, customer TEXT, requested_by TEXT,
    phase TEXT NOT NULL, outcome TEXT, answer TEXT, reason TEXT,
    requested_at INTEGER, started_at INTEGER, ended_at INTEGER,
    orders INTEGER, order_customers INTEGER, orders_unreadable INTEGER, alleaves_calls INTEGER,
    balances INTEGER, alpine_calls INTEGER, queued_ms INTEGER,
    tally TEXT, phases TEXT, vendors TEXT) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_org ON runs (org, ended_at);
CREATE INDEX runs_newest ON runs (org, ended_at IS NOT NULL, coalesce(ended_at, started_at, requested_at) DESC, run);
CREATE INDEX runs_of_all ON runs (ended_at IS NOT NULL, coalesce(ended_at, started_at, requested_at) DESC, run);
CREATE INDEX runs_asked ON runs (org, coalesce(requested_at, started_at, ended_at) DESC, run DESC);
CREATE INDEX runs_of_customer ON runs (org, customer, coalesce(requested_at, started_at, ended_at) DESC, run DESC);
CREATE INDEX runs_completed ON runs (org, ended_at) WHERE outcome = 'completed' AND kind <> 'customer';

-- Whether an org's loyalty provider answers; `since`: since when it does, or does not.
CREATE TABLE providers (
    org TEXT PRIMARY KEY, available INTEGER NOT NULL, since INTEGER NOT NULL, reason TEXT) STRICT, WITHOUT ROWID;

-- Up to when everything of a source has been observed: `alleaves` (the poller), `orders`, `balances` (whole sweeps).
CREATE TABLE freshness (
    org TEXT NOT NULL, source TEXT NOT NULL, as_of INTEGER NOT NULL, PRIMARY KEY (org, source)) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    org TEXT PRIMARY KEY, version INTEGER NOT NULL, settings TEXT NOT NULL) STRICT, WITHOUT ROWID;
-- Every version that was seen in force, or that the audit says was asked for at its number.
CREATE TABLE settings_versions (
    org TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, in_force INTEGER NOT NULL,
    by TEXT, reason TEXT, settings TEXT NOT NULL, PRIMARY KEY (org, version)) STRICT, WITHOUT ROWID;

-- What is kept of a dead letter is redacted already; the original stays in its topic at (partition, offset). What a
-- vendor sends again and again is one row, told apart by `content`: `times` it came, last at `at` and `last_offset`.
CREATE TABLE dead_letters (
    partition INTEGER NOT NULL, "offset" INTEGER NOT NULL, org TEXT NOT NULL, at INTEGER NOT NULL,
    stage TEXT NOT NULL, reason TEXT NOT NULL, exception TEXT NOT NULL,
    source_topic TEXT NOT NULL, source_partition INTEGER NOT NULL, source_offset INTEGER NOT NULL,
    key TEXT NOT NULL, excerpt TEXT NOT NULL,
    content TEXT NOT NULL UNIQUE, first_at INTEGER NOT NULL, times INTEGER NOT NULL, last_offset INTEGER NOT NULL,
    PRIMARY KEY (partition, "offset")) STRICT, WITHOUT ROWID;
CREATE INDEX dead_letters_by_time ON dead_letters (at DESC, partition, "offset" DESC);
CREATE INDEX dead_letters_of_org ON dead_letters (org, at DESC, partition, "offset" DESC);
CREATE INDEX dead_letters_by_reason ON dead_letters (org, stage, reason);
-- What people decided about one: `retry`, which is about what had come up to `through` (an offset), or `discard`, which
-- stays true however often the same content comes again.
CREATE TABLE letter_decisions (
    content TEXT NOT NULL PRIMARY KEY, partition INTEGER NOT NULL, through INTEGER NOT NULL, decision TEXT NOT NULL,
    at INTEGER NOT NULL, by TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
    org TEXT NOT NULL, message TEXT NOT NULL, channel TEXT NOT NULL, at INTEGER NOT NULL, outcome TEXT NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (org, message, channel)) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_by_time ON deliveries (org, at DESC, message, channel);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY, org TEXT NOT NULL, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_by_org ON api_keys (org, id);
CREATE TABLE accounts (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE memberships (
    name TEXT NOT NULL, org TEXT NOT NULL, role TEXT NOT NULL, PRIMARY KEY (name, org)) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_by_org ON memberships (org, name);
-- Of browsers, by the hash of their token. `who` NULL: only a use is known, which is no session.
CREATE TABLE sessions (
    hash TEXT PRIMARY KEY, who TEXT, began_at INTEGER NOT NULL, used_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_use ON sessions (used_at);

CREATE TABLE audit (
    org TEXT NOT NULL, at INTEGER NOT NULL, id TEXT NOT NULL, action TEXT NOT NULL, actor TEXT NOT NULL,
    target TEXT, reason TEXT, detail TEXT NOT NULL, PRIMARY KEY (org, id)) STRICT, WITHOUT ROWID;
CREATE INDEX audit_by_time ON audit (org, at DESC, id DESC);

"""

CONTENT = (
    "meta",
    "positions",
    "profiles",
    "profile_sums",
    "people",
    "phones",
    "entries",
    "cases",
    "alerts",
    "runs",
    "providers",
    "freshness",
    "settings",
    "settings_versions",
    "dead_letters",
    "letter_decisions",
    "deliveries",
    "api_keys",
    "accounts",
    "memberships",
    "sessions",
    "audit",
)
"""The tables that come from the log, with whose it is: emptied when it turns out to be another log."""
