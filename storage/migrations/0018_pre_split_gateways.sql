-- Which of several ingest processes hears which gateway: made once, so that none changes hands while they run.
CREATE TABLE split_divisions (
    processes       integer PRIMARY KEY
);
CREATE TABLE split_gateways (
    processes       integer NOT NULL REFERENCES split_divisions,
    gateway_id      text NOT NULL,
    number          integer NOT NULL,
    PRIMARY KEY (processes, gateway_id)
);
