-- Work that the server does by itself or was asked to do. A job with a
-- schedule begins anew whenever it is due; the others run once and stay as a
-- record. state: 0 waiting, 1 running, 2 done, 3 dead, 4 cancelled.
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project INTEGER NOT NULL, -- 0: the server's
    kind TEXT NOT NULL,
    standing INTEGER NOT NULL, -- 1: the server has it always, one a kind
    schedule TEXT NOT NULL,    -- cron form, UTC; '': none
    state INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    created_ns INTEGER NOT NULL,
    run_at_ns INTEGER NOT NULL, -- when it is due
    started_ns INTEGER NOT NULL,
    finished_ns INTEGER NOT NULL,
    succeeded_ns INTEGER NOT NULL, -- the last time it was done well
    arguments TEXT NOT NULL,       -- JSON objects
    progress TEXT NOT NULL,
    result TEXT NOT NULL,
    error TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX job_standing ON job (kind) WHERE standing = 1;

-- From complete_from_ns on the roll-ups are what spans and remainders add up
-- to. Before it spans are deleted, and the roll-ups stay.
ALTER TABLE project ADD COLUMN retention_days INTEGER; -- NULL: the server's
ALTER TABLE project ADD COLUMN complete_from_ns INTEGER NOT NULL DEFAULT 0;

-- What the roll-ups hold and no span does: calls that were not sampled, and
-- those of traces that were deleted. Goes with the spans of its time.
CREATE TABLE remainder (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    start_ns INTEGER NOT NULL,
    provider INTEGER NOT NULL, -- label ids
    model INTEGER NOT NULL,
    agent INTEGER NOT NULL,
    user INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    api_key INTEGER NOT NULL,
    status INTEGER NOT NULL,
    session TEXT,
    tags TEXT,
    spans INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL,
    cost_rest INTEGER NOT NULL,
    client_nano INTEGER NOT NULL,
    client_rest INTEGER NOT NULL,
    duration_ns INTEGER NOT NULL,
    input_text INTEGER NOT NULL,
    input_cache_read INTEGER NOT NULL,
    input_cache_write INTEGER NOT NULL,
    input_cache_write_1h INTEGER NOT NULL,
    input_audio INTEGER NOT NULL,
    input_image INTEGER NOT NULL,
    input_video INTEGER NOT NULL,
    output_text INTEGER NOT NULL,
    output_reasoning INTEGER NOT NULL,
    output_audio INTEGER NOT NULL,
    output_image INTEGER NOT NULL,
    output_video INTEGER NOT NULL,
    web_searches INTEGER NOT NULL
) STRICT;
CREATE INDEX remainder_by_time ON remainder (project, start_ns);

-- Calls that were not sampled were not kept apart before: sums of earlier
-- hours cannot be compared with spans.
UPDATE project SET complete_from_ns = max(
    (SELECT coalesce(max(start) + 1, 0) FROM rollup r
     WHERE r.project = project.id AND r.level = 0) * 900000000000,
    complete_from_ns);
