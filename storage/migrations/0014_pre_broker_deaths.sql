-- A broker that dies loses what it had acknowledged and not handed on: the ledger tells when that was.
CREATE TABLE broker_deaths (
    death_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    last_heard_at   timestamptz NOT NULL,
    back_at         timestamptz NOT NULL
);
CREATE INDEX broker_deaths_by_time ON broker_deaths (back_at);
