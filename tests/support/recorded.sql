-- A recorded file in a table of its own, and its sums made another way: decimals as the file writes them, added up in SQL.

-- name: create_file
-- The rows as they stand in the file.
CREATE TABLE recorded_file (
    line            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    date_time_utc   timestamp NOT NULL,
    "SO2" numeric, "NO" numeric, "NO2" numeric, "CO" numeric, "PM10" numeric, "O3" numeric, dd numeric, vv numeric,
    "TMP" numeric, "HR" numeric, "PRB" numeric, "RS" numeric, "LL" numeric, "BEN" numeric, "TOL" numeric,
    "MXIL" numeric, "PM25" numeric
)

-- name: copy_file
COPY recorded_file (date_time_utc, "SO2", "NO", "NO2", "CO", "PM10", "O3", dd, vv, "TMP", "HR", "PRB", "RS", "LL",
                    "BEN", "TOL", "MXIL", "PM25")
FROM STDIN (FORMAT csv, HEADER match)

-- name: create_values
-- One row a reading; of the repeats of an hour the line that stands first counts.
CREATE TABLE recorded_values AS
SELECT DISTINCT ON (v.metric, f.date_time_utc) v.metric, f.date_time_utc AT TIME ZONE 'UTC' AS at, v.value
  FROM recorded_file AS f
 CROSS JOIN LATERAL (VALUES
       ('so2_ug_m3', "SO2"), ('no_ug_m3', "NO"), ('no2_ug_m3', "NO2"), ('co_mg_m3', "CO"), ('pm10_ug_m3', "PM10"),
       ('o3_ug_m3', "O3"), ('wind_direction_deg', dd), ('wind_speed_m_s', vv), ('air_temperature_deg_c', "TMP"),
       ('relative_humidity_pct', "HR"), ('pressure_hpa', "PRB"), ('solar_irradiance_w_m2', "RS"),
       ('rainfall_mm', "LL"), ('benzene_ug_m3', "BEN"), ('toluene_ug_m3', "TOL"), ('xylene_ug_m3', "MXIL"),
       ('pm2_5_ug_m3', "PM25")) AS v (metric, value)
 WHERE v.value IS NOT NULL
 ORDER BY v.metric, f.date_time_utc, f.line

-- name: compare_readings
-- Rows of the file, rows of the city, and how many only one of them has.
WITH file AS (
    SELECT metric, at, value::double precision FROM recorded_values
), city AS (
    SELECT s.metric, r.observed_at, r.value
      FROM readings AS r JOIN series AS s USING (series_id) WHERE s.device_id = %(device)s
)
SELECT (SELECT count(*) FROM file), (SELECT count(*) FROM city),
       (SELECT count(*) FROM (TABLE file EXCEPT ALL TABLE city) AS x),
       (SELECT count(*) FROM (TABLE city EXCEPT ALL TABLE file) AS x)

-- name: compare_hours
-- The same of full hours. A sum of binary fractions is rounded to the millionth: the file has two decimals.
WITH file AS (
    SELECT metric, date_trunc('hour', at, 'UTC'), count(*), sum(value), min(value)::double precision,
           max(value)::double precision
      FROM recorded_values GROUP BY 1, 2
), city AS (
    SELECT s.metric, h.bucket, h.n, round(h.sum::numeric, 6), h.minimum, h.maximum
      FROM readings_hourly AS h JOIN series AS s USING (series_id) WHERE s.device_id = %(device)s
)
SELECT (SELECT count(*) FROM file), (SELECT count(*) FROM city),
       (SELECT count(*) FROM (TABLE file EXCEPT ALL TABLE city) AS x),
       (SELECT count(*) FROM (TABLE city EXCEPT ALL TABLE file) AS x)

-- name: compare_days
-- The same of the city's days, which have 23 or 25 hours twice a year.
WITH file AS (
    SELECT metric, date_trunc('day', at, 'Europe/Madrid'), count(*), sum(value), min(value)::double precision,
           max(value)::double precision
      FROM recorded_values GROUP BY 1, 2
), city AS (
    SELECT s.metric, d.bucket, d.n, round(d.sum::numeric, 6), d.minimum, d.maximum
      FROM readings_daily AS d JOIN series AS s USING (series_id) WHERE s.device_id = %(device)s
)
SELECT (SELECT count(*) FROM file), (SELECT count(*) FROM city),
       (SELECT count(*) FROM (TABLE file EXCEPT ALL TABLE city) AS x),
       (SELECT count(*) FROM (TABLE city EXCEPT ALL TABLE file) AS x)

-- name: drop_file
DROP TABLE IF EXISTS recorded_file, recorded_values

-- name: ledger
-- All hours of one gateway together.
SELECT coalesce(sum(appended), 0)::bigint, coalesce(sum(stored), 0)::bigint, coalesce(sum(duplicate), 0)::bigint,
       coalesce(sum(conflicting), 0)::bigint, coalesce(sum(quarantined), 0)::bigint,
       coalesce(sum(appended - stored - duplicate - conflicting - quarantined), 0)::bigint,
       (SELECT coalesce(sum(upper(numbers) - lower(numbers)), 0) FROM ledger_gaps WHERE gateway_id = %(gateway)s)::bigint
         + (SELECT coalesce(sum(messages), 0) FROM ledger_lost WHERE gateway_id = %(gateway)s)::bigint
  FROM ledger WHERE gateway_id = %(gateway)s

-- name: rolled_up
-- Readings that the days hold, and buckets that are still to be done.
SELECT (SELECT coalesce(sum(d.n), 0)::bigint FROM readings_daily AS d JOIN series AS s USING (series_id)
         WHERE s.device_id = %(device)s),
       (SELECT count(*) FROM rollups_touched)

-- name: alarms
SELECT fault, scope_id, raised_at, cleared_at FROM alarms ORDER BY raised_at

-- name: tickets
SELECT t.fault, t.scope_id, t.state, count(a.alarm_id)
  FROM tickets AS t LEFT JOIN ticket_alarms AS a USING (ticket_id)
 GROUP BY t.ticket_id ORDER BY t.ticket_id

-- name: positions
SELECT worker_group, count(*), sum(next_offset)::bigint, max(saved_at) FROM checkpoints GROUP BY 1 ORDER BY 1
