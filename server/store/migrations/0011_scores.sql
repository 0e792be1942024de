-- Scores get an id: what its sender gave it, or what the server made of the
-- batch's instance and the record's number. A boolean is the label
-- 'true' or 'false', with the value 1 or 0 or none.
ALTER TABLE score RENAME TO score_old;
CREATE TABLE score (
    row INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    id TEXT NOT NULL,
    trace_high INTEGER NOT NULL,
    trace_low INTEGER NOT NULL,
    span_id INTEGER NOT NULL, -- 0: of the trace
    at_ns INTEGER NOT NULL,
    name TEXT NOT NULL,
    value REAL,
    label TEXT,
    source TEXT,
    version TEXT,
    comment TEXT,
    UNIQUE (project, id)
) STRICT;
INSERT INTO score (project, id, trace_high, trace_low, span_id, at_ns, name,
    value, label, source, version, comment)
SELECT s.project, ifnull(i.uuid, s.instance) || '-' || s.number, s.trace_high,
    s.trace_low, s.span_id, s.at_ns, s.name, s.value, s.label, s.source,
    s.version, s.comment
FROM score_old s LEFT JOIN instance i ON i.id = s.instance;
DROP TABLE score_old;
CREATE INDEX score_by_trace ON score (project, trace_high, trace_low, at_ns);
CREATE INDEX score_by_time ON score (project, at_ns);
CREATE INDEX score_by_name ON score (project, name, at_ns);
