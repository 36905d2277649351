-- What brokers say they threw away, as each ingest process heard it.
CREATE TABLE broker_drops (
    client_id       text PRIMARY KEY,
    dropped         bigint NOT NULL,
    grew_by         bigint NOT NULL DEFAULT 0,
    grew_at         timestamptz
);
