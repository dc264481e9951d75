CREATE TABLE batches (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    -- in_progress, completed, cancelled or failed.
    status TEXT NOT NULL,
    input_file TEXT NOT NULL,
    -- Ids that its results will have, so that they are written once.
    output_file TEXT NOT NULL,
    error_file TEXT NOT NULL,
    metadata TEXT,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
);

CREATE INDEX batches_owner ON batches (owner, id);

CREATE INDEX batches_status ON batches (status);

CREATE TABLE batch_lines (
    batch TEXT NOT NULL,
    line BIGINT NOT NULL,
    custom_id TEXT NOT NULL,
    body TEXT NOT NULL,
    -- The id that its video has or will have, so that a line is asked for once.
    video TEXT NOT NULL,
    -- waiting, accepted or refused.
    state TEXT NOT NULL,
    -- The answer to a refused line (JSON).
    refusal TEXT,
    PRIMARY KEY (batch, line)
);
