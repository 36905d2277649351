-- What the page about the recorded air station shows.

-- name: database_backends
-- Server processes that work for this database.
SELECT pid FROM pg_stat_activity WHERE datname = current_database()

-- name: layout
SELECT engine, current_setting('server_version') FROM readings_layout

-- name: plain_sizes
-- Bytes on disk with indexes: readings, hours, days, log.
SELECT (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'readings'::regclass)::bigint,
       pg_total_relation_size('readings_hour_rollup'), pg_total_relation_size('readings_day_rollup'),
       pg_total_relation_size('log_records')

-- name: timescale_sizes
-- The same of hypertables.
SELECT hypertable_size('readings'), hypertable_size('readings_hour_rollup'), hypertable_size('readings_day_rollup'),
       pg_total_relation_size('log_records')

-- name: ticket
-- The silence that has not ended, and its ticket.
SELECT a.raised_at, t.opened_at, t.state FROM alarms AS a JOIN ticket_alarms USING (alarm_id)
  JOIN tickets AS t USING (ticket_id) WHERE a.cleared_at IS NULL

-- name: last_receipt
SELECT max(received_at) FROM readings

-- name: daily
-- Means of the city's days.
SELECT s.metric, d.bucket, d.mean FROM readings_daily AS d JOIN series AS s USING (series_id)
 WHERE s.device_id = %(device)s AND s.metric = ANY(%(metrics)s) ORDER BY 1, 2

-- name: hourly
-- Values as they were sent.
SELECT r.observed_at, r.value FROM readings AS r JOIN series AS s USING (series_id)
 WHERE s.device_id = %(device)s AND s.metric = %(metric)s AND r.observed_at BETWEEN %(since)s AND %(until)s ORDER BY 1

-- name: conflicting
-- What came second for an hour that had a value.
SELECT s.metric, c.observed_at, c.value FROM readings_conflicting AS c JOIN series AS s USING (series_id) ORDER BY 1, 2

-- name: channels
-- How many channels reported, hour by hour, zero where none did.
SELECT h.hour, count(r.value)
  FROM generate_series(%(since)s::timestamptz, %(until)s::timestamptz, interval '1 hour') AS h (hour)
  LEFT JOIN (SELECT observed_at, value FROM readings JOIN series AS s USING (series_id)
              WHERE s.device_id = %(device)s AND observed_at BETWEEN %(since)s AND %(until)s) AS r
    ON r.observed_at = h.hour
 GROUP BY 1 ORDER BY 1
