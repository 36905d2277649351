-- Of a gateway with more runs of numbers than are kept, the ledger tells how many it has forgotten.
CREATE TABLE ledger_forgotten (
    gateway_id      text NOT NULL,
    hour            timestamptz NOT NULL,
    runs            bigint NOT NULL,
    PRIMARY KEY (gateway_id, hour)
);
