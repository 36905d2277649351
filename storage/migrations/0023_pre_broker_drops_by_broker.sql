-- What a broker threw away is told once, whichever ingest process heard of it: what each had heard goes.
DROP TABLE broker_drops;
CREATE TABLE broker_drops (
    broker          text PRIMARY KEY,
    dropped         bigint NOT NULL,
    grew_by         bigint NOT NULL DEFAULT 0,
    grew_at         timestamptz
);
