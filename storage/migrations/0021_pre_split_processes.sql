-- Which processes of a division listen: the first takes what the missing would hear.
CREATE TABLE split_processes (
    processes       integer NOT NULL REFERENCES split_divisions,
    number          integer NOT NULL,
    listening_at    timestamptz NOT NULL,
    PRIMARY KEY (processes, number)
);
