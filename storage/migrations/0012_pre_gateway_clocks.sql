-- How old the freshest reading of each gateway's hour was: its clock, as far as live traffic tells.
CREATE TABLE gateway_clocks (
    gateway_id      text NOT NULL,
    hour            timestamptz NOT NULL,
    least_age_us    bigint NOT NULL,
    PRIMARY KEY (gateway_id, hour)
);
