-- Since when the broker lives and when it was last known to live, so that its death is seen although ingest was away meanwhile.
CREATE TABLE broker_life (
    only_one        boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    started_at      timestamptz NOT NULL,
    alive_at        timestamptz NOT NULL
);
