-- What lists are found by. Indexes with costs hold all that a list of the
-- dearest looks at.
DROP INDEX trace_by_start;
CREATE INDEX trace_by_start ON trace (project, start_ns);
-- The dearest of each UTC day.
CREATE INDEX trace_by_cost ON trace (
    project, start_ns / 86400000000000, cost_nano, cost_rest, trace_high,
    trace_low, start_ns, agent, user, environment, status);
CREATE INDEX trace_by_agent ON trace (
    project, agent, start_ns, cost_nano, cost_rest) WHERE agent <> 0;
CREATE INDEX trace_by_user ON trace (
    project, user, start_ns, cost_nano, cost_rest) WHERE user <> 0;
CREATE INDEX trace_by_failure ON trace (
    project, start_ns, cost_nano, cost_rest, status) WHERE status <> 1;

-- When the trace's spans began (store/sqlite/trace_runs.h), so that they are
-- found without a walk over all that ran from its first to its last. NULL: it
-- is from before.
ALTER TABLE trace ADD COLUMN runs BLOB;

-- What the traces of a session add up to, and its calls without spans. It
-- stays when they expire. (`session` is who is logged in.)
CREATE TABLE session_sum (
    number INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    session TEXT NOT NULL,
    start_ns INTEGER NOT NULL, -- of its first span
    last_ns INTEGER NOT NULL,  -- start of its last span
    end_ns INTEGER NOT NULL,
    traces INTEGER NOT NULL,
    steps INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL,
    cost_rest INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    user INTEGER NOT NULL,
    UNIQUE (project, session)
) STRICT;
CREATE INDEX session_sum_by_start ON session_sum (project, start_ns);

INSERT INTO session_sum (project, session, start_ns, last_ns, end_ns, traces,
    steps, calls, errors, unpriced, cost_nano, cost_rest, input_tokens,
    output_tokens, user)
SELECT project, session, min(start_ns), max(last_ns), max(end_ns), count(*),
    sum(steps), sum(calls), sum(errors), sum(unpriced),
    sum(cost_nano) + sum(cost_rest) / 1000000, sum(cost_rest) % 1000000,
    sum(input_tokens), sum(output_tokens), max(user)
FROM trace WHERE session IS NOT NULL GROUP BY project, session;

INSERT INTO session_sum (project, session, start_ns, last_ns, end_ns, traces,
    steps, calls, errors, unpriced, cost_nano, cost_rest, input_tokens,
    output_tokens, user)
SELECT project, session, min(start_ns), max(start_ns), max(start_ns), 0,
    sum(spans), sum(calls), sum(iif(status = 2, spans, 0)), sum(unpriced),
    sum(cost_nano) + sum(cost_rest) / 1000000, sum(cost_rest) % 1000000,
    sum(input_text + input_cache_read + input_cache_write +
        input_cache_write_1h + input_audio + input_image + input_video),
    sum(output_text + output_reasoning + output_audio + output_image +
        output_video), max(user)
FROM remainder WHERE session IS NOT NULL GROUP BY project, session
ON CONFLICT (project, session) DO UPDATE SET
    start_ns = min(start_ns, excluded.start_ns),
    last_ns = max(last_ns, excluded.last_ns),
    end_ns = max(end_ns, excluded.end_ns),
    steps = steps + excluded.steps, calls = calls + excluded.calls,
    errors = errors + excluded.errors, unpriced = unpriced + excluded.unpriced,
    cost_nano = cost_nano + excluded.cost_nano +
        (cost_rest + excluded.cost_rest) / 1000000,
    cost_rest = (cost_rest + excluded.cost_rest) % 1000000,
    input_tokens = input_tokens + excluded.input_tokens,
    output_tokens = output_tokens + excluded.output_tokens;
