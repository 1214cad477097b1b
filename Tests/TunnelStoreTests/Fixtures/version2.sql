-- A database of version 2, m0002_desired_state, as one of version 1 with rows became it. Never changed once that is
-- released.
-- 'tunl': a database with another mark, or with tables and none, belongs to another program and is refused.
PRAGMA application_id = 0x74756e6c;

-- IPv4 addresses are integers in host order; times are milliseconds since 1970-01-01 UTC.
-- The checks are what can't be in any version; bounds of policy, as the length of a comment, aren't here.
-- No check has an IN of more than two values: SQLite would build a temporary table for it at each insert.
CREATE TABLE tunnel (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36 AND id NOT GLOB '*[^0-9a-f-]*'),
    name TEXT NOT NULL UNIQUE CHECK (
        length(name) BETWEEN 1 AND 15
        AND name GLOB '[A-Za-z0-9_]*' AND name NOT GLOB '*[^A-Za-z0-9_.-]*'
        AND name <> 'lo' AND name <> 'tunl0' AND name <> 'all' AND name <> 'default'
    ),
    kind TEXT NOT NULL CHECK (kind IN ('ipip')),
    -- NULL: left to the route towards remote.
    local INTEGER CHECK (local BETWEEN 0x01000000 AND 0xdfffffff AND local >> 24 <> 127),
    remote INTEGER NOT NULL CHECK (remote BETWEEN 0x01000000 AND 0xdfffffff AND remote >> 24 <> 127),
    -- NULL: follows the underlay.
    mtu INTEGER CHECK (mtu BETWEEN 68 AND 65515),
    -- NULL: inherited from the inner header, for ttl and tos.
    ttl INTEGER CHECK (ttl BETWEEN 1 AND 255),
    tos INTEGER CHECK (tos BETWEEN 0 AND 252 AND tos & 3 = 0),
    pmtudisc INTEGER NOT NULL CHECK (pmtudisc IN (0, 1)),
    underlay TEXT CHECK (
        length(underlay) BETWEEN 1 AND 15
        AND underlay GLOB '[A-Za-z0-9_]*' AND underlay NOT GLOB '*[^A-Za-z0-9_.-]*'
        AND underlay <> 'lo' AND underlay <> 'tunl0' AND underlay <> 'all' AND underlay <> 'default'
    ),
    fwmark INTEGER CHECK (fwmark BETWEEN 1 AND 0xffffffff),
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    comment TEXT NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 1),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CONSTRAINT local_is_not_remote CHECK (local <> remote),
    CONSTRAINT underlay_is_another_link CHECK (underlay <> name),
    CONSTRAINT fixed_ttl_needs_pmtudisc CHECK (ttl IS NULL OR pmtudisc = 1)
) STRICT, WITHOUT ROWID;

-- The kernel has one link for each pair of endpoints; to a unique index each NULL is another value.
CREATE UNIQUE INDEX tunnel_endpoints ON tunnel (remote, coalesce(local, 0), coalesce(underlay, ''), kind);

CREATE TABLE tunnel_address (
    tunnel_id TEXT NOT NULL REFERENCES tunnel (id) ON DELETE CASCADE,
    position INTEGER NOT NULL CHECK (position >= 0),
    local INTEGER NOT NULL CHECK (local BETWEEN 0x01000000 AND 0xdfffffff AND local >> 24 <> 127),
    -- The far end; the address itself where there is none, as the kernel has it in IFA_ADDRESS.
    peer INTEGER NOT NULL CHECK (peer BETWEEN 0x01000000 AND 0xdfffffff AND peer >> 24 <> 127),
    prefix_length INTEGER NOT NULL CHECK (prefix_length BETWEEN 0 AND 32),
    PRIMARY KEY (tunnel_id, position)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX tunnel_address_ends ON tunnel_address (local, peer);

CREATE TABLE tunnel_route (
    tunnel_id TEXT NOT NULL REFERENCES tunnel (id) ON DELETE CASCADE,
    position INTEGER NOT NULL CHECK (position >= 0),
    network INTEGER NOT NULL CHECK (network BETWEEN 0 AND 0xffffffff),
    prefix_length INTEGER NOT NULL CHECK (prefix_length BETWEEN 0 AND 32),
    metric INTEGER NOT NULL CHECK (metric BETWEEN 0 AND 0xffffffff),
    PRIMARY KEY (tunnel_id, position),
    UNIQUE (tunnel_id, network, prefix_length, metric),
    CONSTRAINT host_bits_are_zero CHECK (network & (0xffffffff >> prefix_length) = 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE tunnel_label (
    tunnel_id TEXT NOT NULL REFERENCES tunnel (id) ON DELETE CASCADE,
    key TEXT NOT NULL CHECK (key <> ''),
    value TEXT NOT NULL,
    PRIMARY KEY (tunnel_id, key)
) STRICT, WITHOUT ROWID;

-- How often a tunnel's link was made anew, so that its counters began again; no row for the first link.
CREATE TABLE tunnel_epoch (
    tunnel_id TEXT NOT NULL PRIMARY KEY REFERENCES tunnel (id) ON DELETE CASCADE,
    epoch INTEGER NOT NULL CHECK (epoch >= 2)
) STRICT, WITHOUT ROWID;

-- What happened, and who did it. Rows outlive their tunnel or token, so nothing is referenced. Ids are cursors of
-- streams and are never given twice: the latest row is never removed. (AUTOINCREMENT would ensure the same with one
-- more page to write in each transaction; so would a table of its own for who did what.)
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
    detail TEXT CHECK (detail IS NULL OR json_valid(detail)),
    CONSTRAINT of_a_tunnel_or_a_token CHECK (
        CASE WHEN token_id IS NULL
            THEN tunnel_id IS NOT NULL AND tunnel_name IS NOT NULL AND revision IS NOT NULL
            ELSE tunnel_id IS NULL AND tunnel_name IS NULL AND revision IS NULL
        END
    )
) STRICT;

-- Revoked tokens stay, so that an event's token_id can be read.
CREATE TABLE token (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope = 'read' OR scope = 'write' OR scope = 'admin'),
    -- SHA-256 of the token, which itself isn't kept.
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
INSERT INTO grdb_migrations VALUES ('m0001_init');
INSERT INTO tunnel VALUES ('01890a5d-ac96-7000-8000-000000000001','tun_1','ipip',NULL,167772161,NULL,NULL,NULL,1,NULL,NULL,1,'',1,1700000000123,1700000000123);
INSERT INTO tunnel VALUES ('01890a5d-ac96-7000-8000-000000000002','tun_2','ipip',2886733846,167772162,1400,64,184,1,'eth0.100',4294967295,0,'it''s "quoted"; 日本',9223372036854775807,1700000000123,1700000060456);
INSERT INTO tunnel_address VALUES ('01890a5d-ac96-7000-8000-000000000002',0,3232235777,3232235777,24);
INSERT INTO tunnel_address VALUES ('01890a5d-ac96-7000-8000-000000000002',1,168364289,168364290,32);
INSERT INTO tunnel_address VALUES ('01890a5d-ac96-7000-8000-000000000002',2,3232235529,3232235529,30);
INSERT INTO tunnel_route VALUES ('01890a5d-ac96-7000-8000-000000000002',0,169082880,16,100);
INSERT INTO tunnel_route VALUES ('01890a5d-ac96-7000-8000-000000000002',1,0,0,4294967295);
INSERT INTO tunnel_route VALUES ('01890a5d-ac96-7000-8000-000000000002',2,169017345,32,0);
INSERT INTO tunnel_label VALUES ('01890a5d-ac96-7000-8000-000000000002','empty','');
INSERT INTO tunnel_label VALUES ('01890a5d-ac96-7000-8000-000000000002','site','a');
INSERT INTO tunnel_label VALUES ('01890a5d-ac96-7000-8000-000000000002','ä','ö');
INSERT INTO event VALUES (1,1700000000123,'created','uid:0','01890a5d-ac96-7000-8000-000000000001','tun_1',1,NULL,'{"by":"uid:0"}');
INSERT INTO event VALUES (2,1700000000123,'token.created','uid:0',NULL,NULL,NULL,1,NULL);
INSERT INTO event VALUES (3,1700000060456,'token.revoked','uid:0',NULL,NULL,NULL,1,NULL);
INSERT INTO event VALUES (4,1700000060456,'drifted',NULL,'01890a5d-ac96-7000-8000-000000000001','tun_1',1,NULL,NULL);
INSERT INTO token VALUES (1,'ci','write',X'0707070707070707070707070707070707070707070707070707070707070707',1700000000123,1700000060456);
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
INSERT INTO grdb_migrations VALUES ('m0002_desired_state');
