-- Projects that are renamed, archived and deleted; keys that are limited and
-- rotated; the people who log in (accounts: `user` is who an agent serves),
-- what they may, and a record of every change.

ALTER TABLE project ADD COLUMN archived_ns INTEGER;
ALTER TABLE project ADD COLUMN deleted_ns INTEGER;
ALTER TABLE project ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

-- Slugs that a project had before.
CREATE TABLE project_slug (
    slug TEXT PRIMARY KEY,
    project INTEGER NOT NULL REFERENCES project (id)
) STRICT, WITHOUT ROWID;

ALTER TABLE api_key ADD COLUMN last_used_ns INTEGER;
ALTER TABLE api_key ADD COLUMN requests_minute INTEGER; -- NULL: the server's
ALTER TABLE api_key ADD COLUMN rotated_from INTEGER;
ALTER TABLE api_key ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE api_key ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
CREATE INDEX api_key_by_project ON api_key (project);

CREATE TABLE account (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL UNIQUE, -- in lower case
    name TEXT NOT NULL,
    password TEXT NOT NULL,        -- Argon2id; empty: none yet
    server_admin INTEGER NOT NULL, -- 1: owner of every project
    disabled_ns INTEGER,
    created_ns INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE TABLE member (
    project INTEGER NOT NULL REFERENCES project (id),
    account INTEGER NOT NULL REFERENCES account (id),
    role INTEGER NOT NULL, -- 1: viewer, 2: member, 3: admin, 4: owner
    created_ns INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (project, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_by_account ON member (account);

CREATE TABLE session (
    hash BLOB PRIMARY KEY, -- BLAKE2b-256 of the cookie
    account INTEGER NOT NULL REFERENCES account (id),
    created_ns INTEGER NOT NULL,
    seen_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_account ON session (account);

-- Invitations and resets: used once, and soon.
CREATE TABLE ticket (
    hash BLOB PRIMARY KEY, -- BLAKE2b-256 of the token
    kind INTEGER NOT NULL, -- 1: invitation, 2: reset
    id INTEGER NOT NULL,
    project INTEGER NOT NULL, -- 0: of the server
    account INTEGER NOT NULL, -- 0: none yet
    email TEXT NOT NULL,
    role INTEGER NOT NULL,
    created_ns INTEGER NOT NULL,
    expires_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ticket_by_project ON ticket (project);

-- Appended to, never changed.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL, -- 0: of the server
    at_ns INTEGER NOT NULL,
    actor TEXT NOT NULL, -- 'key:3', 'account:7', 'command'
    actor_name TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL, -- 'key.create'
    target TEXT NOT NULL, -- '12'
    detail TEXT NOT NULL  -- a JSON object
) STRICT;
CREATE INDEX audit_by_project ON audit (project, id);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is only appended to'); END;

-- Answers to changes, for who asks again. The answer is sealed with a key made
-- of the Idempotency-Key, which is not stored.
CREATE TABLE idempotency (
    hash BLOB PRIMARY KEY, -- of who asks and the Idempotency-Key
    request BLOB NOT NULL, -- BLAKE2b-256 of method, address and body
    status INTEGER NOT NULL,
    answer BLOB NOT NULL,
    at_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_time ON idempotency (at_ns);

-- Accounts at providers whose bills are read.
CREATE TABLE provider_account (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL REFERENCES project (id),
    provider TEXT NOT NULL,
    name TEXT NOT NULL,
    settings TEXT NOT NULL, -- a JSON object without secrets
    secret BLOB NOT NULL,   -- nonce and secretbox under the master key
    hint TEXT NOT NULL,     -- the secret's last four characters
    status INTEGER NOT NULL, -- 0: unverified, 1: verified, 2: error
    error_message TEXT NOT NULL DEFAULT '',
    verified_ns INTEGER,
    created_ns INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    UNIQUE (project, provider, name)
) STRICT;
