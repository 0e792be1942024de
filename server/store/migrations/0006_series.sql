-- Roll-ups by every combination of provider, model, agent, status, environment
-- and key, by some of these, by user and by tag; levels of quarter hours,
-- hours, days and eight days, start in units of the level since 1970, UTC.
-- series is the number of a combination, or, in a view by one kind of label,
-- the label's id. sums are packed (store/pack.h), latency is a packed sketch
-- of the calls' durations (store/latency.h). What the old rows and the spans
-- say is added by store/sqlite/upgrade.c.
ALTER TABLE rollup RENAME TO rollup_old;

CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    provider INTEGER NOT NULL,
    model INTEGER NOT NULL,
    agent INTEGER NOT NULL,
    status INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    api_key INTEGER NOT NULL,
    UNIQUE (project, provider, model, agent, status, environment, api_key)
) STRICT;

CREATE TABLE rollup (
    project INTEGER NOT NULL,
    view INTEGER NOT NULL,
    level INTEGER NOT NULL,
    start INTEGER NOT NULL,
    series INTEGER NOT NULL,
    sums BLOB NOT NULL,
    latency BLOB,
    PRIMARY KEY (project, view, level, start, series)
) STRICT, WITHOUT ROWID;

-- The number of the last transaction: what was read with the same number is
-- the same.
CREATE TABLE revision (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL
) STRICT;
INSERT INTO revision VALUES (1, 1);
