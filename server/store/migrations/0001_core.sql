-- Amounts are cost_nano (1e-9 USD) plus cost_rest (0..999999 of 1e-15 USD).
-- Times are Unix nanoseconds. Ids of 64 bits are stored as signed integers.

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE project (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_ns INTEGER NOT NULL
) STRICT;

CREATE TABLE api_key (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL REFERENCES project (id),
    name TEXT NOT NULL,
    scope INTEGER NOT NULL,
    hash BLOB NOT NULL UNIQUE, -- BLAKE2b-256 of the whole key
    hint TEXT NOT NULL,        -- the first characters, for people
    created_ns INTEGER NOT NULL,
    expires_ns INTEGER,
    revoked_ns INTEGER
) STRICT;

-- Texts that many rows share. day is the UTC day in which a label was first
-- seen: new ones are capped per project, kind and day.
CREATE TABLE label (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    text TEXT NOT NULL,
    day INTEGER NOT NULL,
    UNIQUE (project, kind, text)
) STRICT;
CREATE INDEX label_by_day ON label (project, kind, day);

-- One open client in one process, and the greatest totals it has told.
CREATE TABLE instance (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    project INTEGER NOT NULL,
    api_key INTEGER NOT NULL,
    sdk TEXT NOT NULL,
    service TEXT NOT NULL,
    environment TEXT NOT NULL,
    release TEXT NOT NULL,
    first_seen_ns INTEGER NOT NULL,
    last_seen_ns INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    unsampled INTEGER NOT NULL,
    dropped INTEGER NOT NULL
) STRICT;

-- The record numbers known of an instance, as disjoint closed intervals.
CREATE TABLE received (
    instance INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (instance, first)
) STRICT, WITHOUT ROWID;

-- A span's duplicate carries the same start, so that the key that keeps the
-- rows in the order of time also finds duplicates.
CREATE TABLE span (
    project INTEGER NOT NULL,
    start_ns INTEGER NOT NULL,
    span_id INTEGER NOT NULL,
    trace_high INTEGER NOT NULL,
    trace_low INTEGER NOT NULL,
    parent_id INTEGER,
    duration_ns INTEGER NOT NULL,
    ttft_ns INTEGER,
    kind INTEGER NOT NULL,
    status INTEGER NOT NULL,
    name TEXT NOT NULL,
    provider INTEGER NOT NULL, -- label ids; 0: not stated
    model INTEGER NOT NULL,
    agent INTEGER NOT NULL,
    user INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    service INTEGER NOT NULL,
    api_key INTEGER NOT NULL,
    session TEXT,
    counted INTEGER NOT NULL, -- 1: its usage and cost are in the sums
    priced INTEGER NOT NULL,
    match INTEGER NOT NULL,
    usage_source INTEGER NOT NULL,
    cost_source INTEGER NOT NULL,
    cost_nano INTEGER, -- effective; NULL: unpriced
    cost_rest INTEGER,
    client_nano INTEGER, -- what the client's table computed
    client_rest INTEGER,
    price_key TEXT,
    usage TEXT, -- as it came: JSON
    tags TEXT,  -- JSON array
    detail TEXT NOT NULL, -- all else of the step: members of a JSON object
    PRIMARY KEY (project, start_ns, span_id, trace_high, trace_low)
) STRICT, WITHOUT ROWID;

-- Derived from the stored spans, always.
CREATE TABLE trace (
    project INTEGER NOT NULL,
    trace_high INTEGER NOT NULL,
    trace_low INTEGER NOT NULL,
    start_ns INTEGER NOT NULL, -- of its first span
    last_ns INTEGER NOT NULL,  -- start of its last span
    end_ns INTEGER NOT NULL,
    root_id INTEGER,
    root_ns INTEGER,
    root_status INTEGER NOT NULL,
    status INTEGER NOT NULL,
    steps INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL,
    cost_rest INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    name TEXT NOT NULL,
    agent INTEGER NOT NULL,
    user INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    session TEXT,
    models TEXT NOT NULL, -- label ids: ',3,7,'
    tags TEXT,            -- JSON array
    PRIMARY KEY (project, trace_high, trace_low)
) STRICT, WITHOUT ROWID;
CREATE INDEX trace_by_start ON trace (project, start_ns);

-- level 0: quarter hours, 1: hours, 2: days; start in units of the level since
-- 1970, UTC. Hours and days are sums of quarter hours.
CREATE TABLE rollup (
    project INTEGER NOT NULL,
    level INTEGER NOT NULL,
    start INTEGER NOT NULL,
    provider INTEGER NOT NULL,
    model INTEGER NOT NULL,
    agent INTEGER NOT NULL,
    status INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    api_key INTEGER NOT NULL,
    spans INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL,
    cost_rest INTEGER NOT NULL,
    client_nano INTEGER NOT NULL,
    client_rest INTEGER NOT NULL,
    duration_ns INTEGER NOT NULL,
    input_text INTEGER NOT NULL, -- token classes are disjoint
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
    web_searches INTEGER NOT NULL,
    PRIMARY KEY (project, level, start, provider, model, agent, status,
                 environment, api_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE score (
    project INTEGER NOT NULL,
    trace_high INTEGER NOT NULL,
    trace_low INTEGER NOT NULL,
    span_id INTEGER NOT NULL, -- 0: of the trace
    instance INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at_ns INTEGER NOT NULL,
    name TEXT NOT NULL,
    value REAL,
    label TEXT,
    source TEXT,
    PRIMARY KEY (project, trace_high, trace_low, span_id, instance, number)
) STRICT, WITHOUT ROWID;
