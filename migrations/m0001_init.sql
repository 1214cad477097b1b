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
