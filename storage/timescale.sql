-- Readings and their rollups on TimescaleDB: the same columns and names as plain.sql.
-- No background policies: they go by the server's clock and know nothing of a back-log; `stream.rollups` calls what they
-- would call, in its own order and by the city's clock.

-- name: readings
-- Raw rows; the first value of a key wins.
CREATE TABLE readings (
    series_id       integer NOT NULL,
    observed_at     timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    value           double precision NOT NULL,
    quality         smallint NOT NULL,                     -- city.reading.Quality
    PRIMARY KEY (series_id, observed_at)
)

-- name: readings_hypertable
-- Chunks of a week; the key is the only index that rows pay for.
SELECT create_hypertable('readings', by_range('observed_at', interval '7 days'), create_default_indexes => false)

-- name: readings_columnstore
-- A series lies together, in order of time.
ALTER TABLE readings SET (
    timescaledb.enable_columnstore, timescaledb.segmentby = 'series_id', timescaledb.orderby = 'observed_at'
)

-- name: minute_rollup
-- Minutes of the series that report faster than every five.
CREATE TABLE readings_minute_rollup (
    series_id       integer NOT NULL,
    bucket          timestamptz NOT NULL,
    n               bigint NOT NULL,
    sum             double precision NOT NULL,
    minimum         double precision NOT NULL,
    maximum         double precision NOT NULL,
    PRIMARY KEY (series_id, bucket)
)

-- name: minute_hypertable
-- Not a continuous aggregate: those cannot choose series by what the registry says today.
SELECT create_hypertable('readings_minute_rollup', by_range('bucket', interval '7 days'),
                         create_default_indexes => false)

-- name: hour_rollup
-- Full hours of the city.
CREATE MATERIALIZED VIEW readings_hour_rollup
  WITH (timescaledb.continuous, timescaledb.materialized_only = true) AS
SELECT series_id, time_bucket('1 hour', observed_at) AS bucket, count(*) AS n, sum(value) AS sum,
       min(value) AS minimum, max(value) AS maximum
  FROM readings GROUP BY 1, 2
  WITH NO DATA

-- name: day_rollup
-- Days of the city, from its midnight; made of hours.
CREATE MATERIALIZED VIEW readings_day_rollup
  WITH (timescaledb.continuous, timescaledb.materialized_only = true) AS
SELECT series_id, time_bucket('1 day', bucket, {timezone}) AS bucket, sum(n)::bigint AS n, sum(sum) AS sum,
       min(minimum) AS minimum, max(maximum) AS maximum
  FROM readings_hour_rollup GROUP BY 1, 2
  WITH NO DATA
