-- Statements that SQLite and PostgreSQL both read. Times are milliseconds since 1970 by the database's clock.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);

INSERT INTO counters (name, value) VALUES ('videos', 0);

CREATE TABLE videos (
    id TEXT PRIMARY KEY,
    -- Order of acceptance: the place in the queue.
    seq BIGINT NOT NULL UNIQUE,
    -- The key that asked for it; empty on a server without keys.
    owner TEXT NOT NULL,
    status TEXT NOT NULL,
    priority BIGINT NOT NULL,
    model TEXT NOT NULL,
    -- What was asked for and how it was understood (JSON).
    job TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    completed_at BIGINT,
    expires_at BIGINT,
    -- How far the work is (JSON).
    progress TEXT,
    -- Who works at it, at which attempt, and until when that is believed without a sign of life.
    worker TEXT,
    attempt BIGINT NOT NULL,
    lease_until BIGINT,
    -- The files of the result (JSON).
    result TEXT,
    error_code TEXT,
    error_message TEXT
);

CREATE INDEX videos_queue ON videos (status, priority, seq);

CREATE INDEX videos_owner ON videos (owner, id);

CREATE TABLE characters (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    -- What models are told in its place.
    description TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    -- SHA-256 of the key; the key itself is not kept.
    hash TEXT NOT NULL UNIQUE,
    -- Words with spaces between them.
    scopes TEXT NOT NULL,
    priority BIGINT NOT NULL,
    max_queued BIGINT,
    max_running BIGINT,
    seconds_a_day BIGINT,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE TABLE files (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    purpose TEXT NOT NULL,
    -- Its hash and size (JSON).
    asset TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX files_owner ON files (owner, id);
