-- What both layouts of the readings share.

-- name: lock
-- One process lays out at a time.
SELECT pg_advisory_xact_lock(hashtext('citynerve.layout'))

-- name: extension
-- Whether TimescaleDB is in this database, could be put there, and has its community licence (continuous aggregates
-- and columnstore are not in the Apache-only build).
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') AS installed,
       EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
         AND EXISTS (SELECT FROM pg_settings WHERE name = 'shared_preload_libraries' AND setting LIKE '%timescaledb%')
         AS installable

-- name: licence
-- Which parts of TimescaleDB may be used.
SELECT current_setting('timescaledb.license', true) = 'timescale'

-- name: create_extension
CREATE EXTENSION IF NOT EXISTS timescaledb

-- name: read
-- The layout that stands.
SELECT engine, timezone, hour_offset, CASE WHEN isfinite(raw_since) THEN raw_since END, days_since
  FROM readings_layout

-- name: save
-- The layout stands.
INSERT INTO readings_layout (engine, timezone, hour_offset, days_since)
VALUES (%(engine)s, %(timezone)s, %(hour_offset)s, %(days_since)s)

-- name: minutely
-- What a portal reads.
CREATE VIEW readings_minutely AS
SELECT series_id, bucket, n, sum, sum / n AS mean, minimum, maximum FROM readings_minute_rollup

-- name: hourly
-- What a portal reads.
CREATE VIEW readings_hourly AS
SELECT series_id, bucket, n, sum, sum / n AS mean, minimum, maximum FROM readings_hour_rollup

-- name: daily
-- What a portal reads.
CREATE VIEW readings_daily AS
SELECT series_id, bucket, n, sum, sum / n AS mean, minimum, maximum FROM readings_day_rollup
