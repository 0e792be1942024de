-- What a project pays: prices of models, discounts and other names. Together
-- they are a price file (docs/PRICING.md) over the built-in table.
CREATE TABLE price (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project INTEGER NOT NULL REFERENCES project (id),
    kind INTEGER NOT NULL,  -- 1: override, 2: discount, 3: alias
    provider TEXT NOT NULL, -- of a model, or of a discount; '': any
    model TEXT NOT NULL,    -- a key of the table; '': any
    alias TEXT NOT NULL,
    from_s INTEGER NOT NULL, -- Unix seconds; the least number: always
    value TEXT NOT NULL,     -- a period's prices as JSON, or the percent
    note TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    changed_ns INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    UNIQUE (project, kind, provider, model, alias, from_s)
) STRICT;
