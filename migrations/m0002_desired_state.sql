-- What is done when somebody else changes the tunnel's link: repair it, tell, or take the change over.
ALTER TABLE tunnel ADD COLUMN drift_policy TEXT NOT NULL DEFAULT 'enforce'
    CHECK (drift_policy = 'enforce' OR drift_policy = 'alert' OR drift_policy = 'adopt');

-- An event may also be of a checkpoint, or of the host, and has the tunnel's labels as they were, to be chosen by.
ALTER TABLE event RENAME TO former_event;

CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    type TEXT NOT NULL CHECK (type <> ''),
    -- Who asked for it; NULL where nobody did: what the kernel, or somebody beside us, did.
    actor TEXT CHECK (actor <> ''),
    tunnel_id TEXT,
    tunnel_name TEXT,
    revision INTEGER CHECK (revision >= 1),
    token_id INTEGER,
    checkpoint_id TEXT,
    -- A JSON object of strings; NULL for none.
    labels TEXT CHECK (labels IS NULL OR json_valid(labels)),
    detail TEXT CHECK (detail IS NULL OR json_valid(detail)),
    CONSTRAINT of_at_most_one_subject CHECK (
        (tunnel_id IS NOT NULL) + (token_id IS NOT NULL) + (checkpoint_id IS NOT NULL) <= 1
        AND (tunnel_id IS NULL) = (tunnel_name IS NULL) AND (tunnel_id IS NULL) = (revision IS NULL)
    )
) STRICT;

INSERT INTO event (id, at, type, actor, tunnel_id, tunnel_name, revision, token_id, detail)
SELECT id, at, type, actor, tunnel_id, tunnel_name, revision, token_id, detail FROM former_event;

DROP TABLE former_event;

-- Each difference that somebody else made, once. Rows outlive their tunnel.
CREATE TABLE drift (
    id INTEGER PRIMARY KEY,
    tunnel_id TEXT NOT NULL,
    -- The definition's field, or what of the link it was: 'link', 'programs'.
    field TEXT NOT NULL CHECK (field <> ''),
    desired TEXT NOT NULL,
    observed TEXT NOT NULL,
    found_at INTEGER NOT NULL,
    -- Who did it, where the kernel told and the process still was.
    pid INTEGER CHECK (pid > 0),
    program TEXT CHECK (program <> ''),
    -- How it ended: 'repaired', 'adopted', 'withdrawn' (it went back by itself) or 'superseded' (by a write, or by
    -- another drift of the same field). NULL while it is open.
    outcome TEXT CHECK (outcome <> ''),
    closed_at INTEGER,
    CONSTRAINT closed_with_an_outcome CHECK ((outcome IS NULL) = (closed_at IS NULL)),
    CONSTRAINT a_program_has_a_pid CHECK (program IS NULL OR pid IS NOT NULL)
) STRICT;

CREATE INDEX drift_of_tunnel ON drift (tunnel_id, id);

-- Read at each start.
CREATE INDEX drift_open ON drift (tunnel_id) WHERE outcome IS NULL;

-- A former state that is kept until a change is confirmed.
CREATE TABLE checkpoint (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36 AND id NOT GLOB '*[^0-9a-f-]*'),
    created_at INTEGER NOT NULL,
    -- When all goes back unless it is confirmed.
    deadline INTEGER NOT NULL,
    actor TEXT NOT NULL CHECK (actor <> ''),
    -- Confirmed by itself when this address answers through the tunnel of this name; NULL where only a client confirms.
    probe_address INTEGER CHECK (probe_address BETWEEN 0 AND 0xffffffff),
    probe_tunnel TEXT,
    -- How many tunnels it is of.
    tunnels INTEGER NOT NULL CHECK (tunnels >= 0),
    outcome TEXT CHECK (outcome = 'confirmed' OR outcome = 'reverted'),
    ended_at INTEGER,
    -- Who confirmed or reverted it; NULL where the probe was answered, or the deadline passed.
    ended_by TEXT CHECK (ended_by <> ''),
    -- What the kernel refused of a revert, as a JSON array; NULL for nothing.
    failures TEXT CHECK (failures IS NULL OR json_valid(failures)),
    CONSTRAINT a_probe_goes_through_a_tunnel CHECK ((probe_address IS NULL) = (probe_tunnel IS NULL)),
    CONSTRAINT ended_with_an_outcome CHECK ((outcome IS NULL) = (ended_at IS NULL)),
    CONSTRAINT what_is_pending_was_ended_by_nobody CHECK (
        outcome IS NOT NULL OR ended_by IS NULL AND failures IS NULL
    )
) STRICT, WITHOUT ROWID;

-- One at a time.
CREATE UNIQUE INDEX checkpoint_pending ON checkpoint (outcome IS NULL) WHERE outcome IS NULL;

-- The tunnels of the pending checkpoint; they go when it ends.
CREATE TABLE checkpoint_tunnel (
    checkpoint_id TEXT NOT NULL REFERENCES checkpoint (id) ON DELETE CASCADE,
    tunnel_id TEXT NOT NULL,
    -- The tunnel as it was, as JSON; NULL where there was none.
    former TEXT CHECK (former IS NULL OR json_valid(former)),
    PRIMARY KEY (checkpoint_id, tunnel_id)
) STRICT, WITHOUT ROWID;

-- Answers to writes that had an Idempotency-Key, to be given again.
CREATE TABLE answer (
    -- Whose key it is, as an event's actor.
    actor TEXT NOT NULL CHECK (actor <> ''),
    key TEXT NOT NULL CHECK (key <> ''),
    -- SHA-256 of method, path and body.
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    at INTEGER NOT NULL,
    status INTEGER NOT NULL CHECK (status BETWEEN 200 AND 599),
    -- A JSON array of names and values.
    headers TEXT NOT NULL CHECK (json_valid(headers)),
    body BLOB NOT NULL,
    PRIMARY KEY (actor, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX answer_at ON answer (at);

-- Tunnels whose links we were about to change, or are still to: what differs there after a kill is our own doing.
CREATE TABLE unfinished (
    tunnel_id TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
