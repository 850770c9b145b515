"""The tables of the views. Raise `SCHEMA_VERSION` with every change: an older file is thrown away and rebuilt.

Columns of `profiles`, `entries` and `cases` have the names and the order of their contract's fields. Times are UTC
milliseconds, booleans 0 and 1, what is unknown NULL. `history`, `tally`, `phases`, `phones` and `settings` are JSON.
"""

from __future__ import annotations

SCHEMA_VERSION = 1

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
    order_count INTEGER NOT NULL, balance_as_of INTEGER, home_location TEXT, settings_version INTEGER NOT NULL,
    epoch INTEGER NOT NULL, version INTEGER NOT NULL, export INTEGER NOT NULL,
    PRIMARY KEY (org, customer)) STRICT, WITHOUT ROWID;
-- Answers the statistics without touching the table.
CREATE INDEX profiles_by_verdict ON profiles (org, verdict, points_from_alpine);

CREATE TABLE people (
    number INTEGER PRIMARY KEY, org TEXT NOT NULL, customer TEXT NOT NULL,
    name TEXT NOT NULL, phones TEXT NOT NULL, email TEXT, observed_at INTEGER NOT NULL, erased_at INTEGER,
    phone_terms TEXT NOT NULL,
    UNIQUE (org, customer)) STRICT;
CREATE VIRTUAL TABLE people_search USING fts5 (
    customer, name, email, phone_terms, content='people', content_rowid='number',
    tokenize="unicode61 remove_diacritics 2", prefix='2 3 4');
CREATE TRIGGER people_added AFTER INSERT ON people BEGIN
    INSERT INTO people_search (rowid, customer, name, email, phone_terms)
    VALUES (new.number, new.customer, new.name, new.email, new.phone_terms);
END;
CREATE TRIGGER people_removed AFTER DELETE ON people BEGIN
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

-- Clustered by customer, newest last: an account's history is one range.
CREATE TABLE entries (
    org TEXT NOT NULL, customer TEXT NOT NULL, at INTEGER NOT NULL,
    id TEXT NOT NULL, cause TEXT NOT NULL, delta_minor INTEGER NOT NULL, delta_points INTEGER NOT NULL,
    points_after INTEGER NOT NULL, tier TEXT NOT NULL, settings_version INTEGER NOT NULL, "order" TEXT,
    amount_minor INTEGER, why_not TEXT, epoch INTEGER NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (org, customer, epoch, version, id)) STRICT, WITHOUT ROWID;

CREATE TABLE cases (
    org TEXT NOT NULL, customer TEXT NOT NULL,
    id TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, opened_at INTEGER NOT NULL,
    ours INTEGER NOT NULL, provider INTEGER NOT NULL, difference INTEGER NOT NULL, alerted_points INTEGER NOT NULL,
    tier_differs INTEGER NOT NULL, resolved_at INTEGER, history TEXT NOT NULL,
    epoch INTEGER NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (org, customer, number)) STRICT, WITHOUT ROWID;
CREATE INDEX cases_by_state ON cases (org, state, opened_at);

CREATE TABLE alerts (
    id TEXT PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, org TEXT NOT NULL, customer TEXT,
    alert TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_by_time ON alerts (org, at);

-- `outcome`: completed or failed, NULL while it is under way; `answer`: of a one-customer run.
CREATE TABLE runs (
    run TEXT PRIMARY KEY, org TEXT NOT NULL, kind TEXT NOT NULL, customer TEXT, requested_by TEXT,
    phase TEXT NOT NULL, outcome TEXT, answer TEXT, reason TEXT,
    requested_at INTEGER, started_at INTEGER, ended_at INTEGER,
    orders INTEGER, order_customers INTEGER, orders_unreadable INTEGER, alleaves_calls INTEGER,
    balances INTEGER, alpine_calls INTEGER, tally TEXT, phases TEXT) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_org ON runs (org, ended_at);

-- Whether an org's loyalty provider answers; `since`: since when it does, or does not.
CREATE TABLE providers (
    org TEXT PRIMARY KEY, available INTEGER NOT NULL, since INTEGER NOT NULL, reason TEXT) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    org TEXT PRIMARY KEY, version INTEGER NOT NULL, settings TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- What is kept of a dead letter is redacted already; the original stays in its topic at (partition, offset).
CREATE TABLE dead_letters (
    partition INTEGER NOT NULL, "offset" INTEGER NOT NULL, org TEXT NOT NULL, at INTEGER NOT NULL,
    stage TEXT NOT NULL, reason TEXT NOT NULL, exception TEXT NOT NULL,
    source_topic TEXT NOT NULL, source_partition INTEGER NOT NULL, source_offset INTEGER NOT NULL,
    key TEXT NOT NULL, excerpt TEXT NOT NULL,
    PRIMARY KEY (partition, "offset")) STRICT, WITHOUT ROWID;
CREATE INDEX dead_letters_by_time ON dead_letters (at);
"""

CONTENT = (
    "meta",
    "positions",
    "profiles",
    "people",
    "entries",
    "cases",
    "alerts",
    "runs",
    "providers",
    "settings",
    "dead_letters",
)
"""The tables that come from the log, with whose it is: emptied when it turns out to be another log."""
