-- Whether those who want to know of a video's end are noted in `deliveries`.
ALTER TABLE videos ADD COLUMN told BIGINT NOT NULL DEFAULT 0;

CREATE INDEX videos_told ON videos (told, status);

CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    -- The key whose videos it hears of; empty: all.
    owner TEXT NOT NULL,
    url TEXT NOT NULL,
    -- Signs what is sent; it has to be kept as it is.
    secret TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE deliveries (
    -- The event, which is the same at each attempt.
    id TEXT PRIMARY KEY,
    webhook TEXT NOT NULL,
    video TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    -- When it is sent next; null: it arrived, or was given up.
    due_at BIGINT,
    delivered_at BIGINT,
    -- What the last attempt ended with.
    answer TEXT
);

CREATE INDEX deliveries_due ON deliveries (due_at);
