-- Sparkplug's births, so that data that came without one can be read when they are replayed.
CREATE TABLE sparkplug_births (                            -- what Sparkplug's nodes and devices told of their metrics
    group_id        text NOT NULL,
    edge_id         text NOT NULL,
    device_id       text NOT NULL,                         -- on the wire; empty: the node itself
    first_at        timestamptz NOT NULL,
    last_at         timestamptz NOT NULL,                  -- told again until then, with no other in between
    told            jsonb NOT NULL,
    PRIMARY KEY (group_id, edge_id, device_id, first_at)
);
