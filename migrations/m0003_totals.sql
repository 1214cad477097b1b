-- What went through a tunnel since it was defined, over all its links, and what its link counted then: so that the same
-- link goes on from there, and another one adds. Nothing is referenced: a tunnel that changes its place with another is
-- deleted and inserted again, and one that a revert brings back has its total still.
CREATE TABLE tunnel_total (
    tunnel_id TEXT NOT NULL PRIMARY KEY CHECK (length(tunnel_id) = 36 AND tunnel_id NOT GLOB '*[^0-9a-f-]*'),
    rx_bytes INTEGER NOT NULL,
    rx_packets INTEGER NOT NULL,
    rx_errors INTEGER NOT NULL,
    rx_dropped INTEGER NOT NULL,
    tx_bytes INTEGER NOT NULL,
    tx_packets INTEGER NOT NULL,
    tx_errors INTEGER NOT NULL,
    tx_dropped INTEGER NOT NULL,
    carrier_errors INTEGER NOT NULL,
    -- The link; NULL for none that can still be there.
    ifindex INTEGER CHECK (ifindex > 0),
    epoch INTEGER CHECK (epoch >= 1),
    -- Where it was: the host's boot and network namespace.
    place TEXT,
    link_rx_bytes INTEGER NOT NULL,
    link_rx_packets INTEGER NOT NULL,
    link_rx_errors INTEGER NOT NULL,
    link_rx_dropped INTEGER NOT NULL,
    link_tx_bytes INTEGER NOT NULL,
    link_tx_packets INTEGER NOT NULL,
    link_tx_errors INTEGER NOT NULL,
    link_tx_dropped INTEGER NOT NULL,
    link_carrier_errors INTEGER NOT NULL,
    CONSTRAINT a_link_is_known_as_a_whole CHECK (
        (ifindex IS NULL) = (epoch IS NULL) AND (ifindex IS NULL) = (place IS NULL)
    )
) STRICT, WITHOUT ROWID;
