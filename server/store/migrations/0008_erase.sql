-- A row a call where it was a call of its own: what it took, or -1.
ALTER TABLE remainder ADD COLUMN latency_ns INTEGER NOT NULL DEFAULT -1;

-- Traces that were deleted, so that their records are known when a client
-- sends them again. The times are those of its first and its last span.
CREATE TABLE deleted_trace (
    project INTEGER NOT NULL,
    trace_high INTEGER NOT NULL,
    trace_low INTEGER NOT NULL,
    start_ns INTEGER NOT NULL,
    last_ns INTEGER NOT NULL,
    PRIMARY KEY (project, trace_high, trace_low)
) STRICT, WITHOUT ROWID;
CREATE INDEX deleted_trace_by_time ON deleted_trace (project, last_ns);
