-- Rollups, recomputed from the raw rows of touched buckets, never added to.

-- name: refresh_alone
-- One process refreshes, drops or compresses at a time; the lock goes with the session.
SELECT pg_try_advisory_lock(hashtext('citynerve.rollups'))

-- name: refresh_done
SELECT pg_advisory_unlock(hashtext('citynerve.rollups'))

-- name: take_marks
-- Marks and what they tell of go in one transaction. A sink that commits later has marks of its own, so nothing is lost.
-- Buckets whose raw rows retention has dropped are left alone: recomputing would erase their history. It drops nothing
-- from before `days_since`; the day before that may hold hours which went.
WITH chosen AS (
    SELECT mark_id FROM rollups_touched AS t, readings_layout AS l
     WHERE t.hour >= l.raw_since OR t.hour < l.days_since - interval '1 day' ORDER BY t.mark_id LIMIT %(limit)s
), taken AS (
    DELETE FROM rollups_touched WHERE mark_id IN (SELECT mark_id FROM chosen) RETURNING hour, block
)
SELECT block, hour FROM taken GROUP BY block, hour ORDER BY block, hour

-- name: read_marks
-- TimescaleDB refreshes outside of transactions: marks are read first and deleted, by their ids, when it is done.
SELECT mark_id, block, hour FROM rollups_touched AS t, readings_layout AS l
 WHERE t.hour >= l.raw_since OR t.hour < l.days_since - interval '1 day' ORDER BY mark_id LIMIT %(limit)s

-- name: delete_marks
DELETE FROM rollups_touched WHERE mark_id = ANY(%(mark_ids)s)

-- name: join_marks_beyond_retention
-- Marks that no refresh will take are kept once each: they keep their raw rows from being dropped.
DELETE FROM rollups_touched AS t USING rollups_touched AS earlier, readings_layout AS l
 WHERE t.hour < l.raw_since AND (l.days_since IS NULL OR t.hour >= l.days_since - interval '1 day') AND earlier.hour = t.hour AND earlier.block = t.block AND earlier.mark_id < t.mark_id

-- name: ensure_rollup_partitions
-- Plain layout: the months or days of these spans, for the rollups that are partitioned.
SELECT ensure_readings_partition(parent, p.since)
  FROM unnest(%(parents)s::text[]) AS parent,
       (SELECT DISTINCT generate_series(date_trunc(%(unit)s, s.since, 'UTC'), s.until, ('1 ' || %(unit)s)::interval)
               AS since
          FROM unnest(%(since)s::timestamptz[], %(until)s::timestamptz[]) AS s (since, until)) AS p

-- name: refresh_minutes
-- Only of series whose device reports faster than every five minutes.
INSERT INTO readings_minute_rollup AS m (series_id, bucket, n, sum, minimum, maximum)
SELECT s.series_id, r.*
  FROM unnest(%(blocks)s::integer[], %(since)s::timestamptz[], %(until)s::timestamptz[]) AS t (block, since, until)
  JOIN series AS s ON s.series_id BETWEEN t.block * 256 AND t.block * 256 + 255
  JOIN devices AS d ON d.device_id = s.device_id AND d.report_interval_s < 300
 CROSS JOIN LATERAL (
       SELECT date_bin('1 minute', observed_at, 'epoch') AS bucket, count(*), sum(value), min(value), max(value)
         FROM readings WHERE series_id = s.series_id AND observed_at >= t.since AND observed_at < t.until
          AND observed_at >= %(earliest)s AND observed_at < %(latest)s
        GROUP BY 1) AS r
ON CONFLICT (series_id, bucket) DO UPDATE
   SET n = EXCLUDED.n, sum = EXCLUDED.sum, minimum = EXCLUDED.minimum, maximum = EXCLUDED.maximum
 WHERE (m.n, m.sum, m.minimum, m.maximum)
       IS DISTINCT FROM (EXCLUDED.n, EXCLUDED.sum, EXCLUDED.minimum, EXCLUDED.maximum)

-- name: refresh_hours
-- Plain layout. Series by series through the key; spans of one block do not overlap.
INSERT INTO readings_hour_rollup AS h (series_id, bucket, n, sum, minimum, maximum)
SELECT t.block * 256 + s.i, r.*
  FROM unnest(%(blocks)s::integer[], %(since)s::timestamptz[], %(until)s::timestamptz[]) AS t (block, since, until)
 CROSS JOIN generate_series(0, 255) AS s (i)
 CROSS JOIN LATERAL (
       SELECT date_bin('1 hour', observed_at, 'epoch'::timestamptz + %(hour_offset)s) AS bucket,
              count(*), sum(value), min(value), max(value)
         FROM readings WHERE series_id = t.block * 256 + s.i AND observed_at >= t.since AND observed_at < t.until
          AND observed_at >= %(earliest)s AND observed_at < %(latest)s
        GROUP BY 1) AS r
ON CONFLICT (series_id, bucket) DO UPDATE
   SET n = EXCLUDED.n, sum = EXCLUDED.sum, minimum = EXCLUDED.minimum, maximum = EXCLUDED.maximum
 WHERE (h.n, h.sum, h.minimum, h.maximum)
       IS DISTINCT FROM (EXCLUDED.n, EXCLUDED.sum, EXCLUDED.minimum, EXCLUDED.maximum)

-- name: refresh_days
-- Plain layout, after the hours: whole days of the city that the spans touch.
INSERT INTO readings_day_rollup AS d (series_id, bucket, n, sum, minimum, maximum)
SELECT h.series_id, date_trunc('day', h.bucket, %(timezone)s) AS day, sum(h.n), sum(h.sum), min(h.minimum),
       max(h.maximum)
  FROM unnest(%(blocks)s::integer[], %(since)s::timestamptz[], %(until)s::timestamptz[]) AS t (block, since, until)
 CROSS JOIN generate_series(0, 255) AS s (i)
  JOIN readings_hour_rollup AS h ON h.series_id = t.block * 256 + s.i AND h.bucket >= t.since AND h.bucket < t.until
 GROUP BY h.series_id, day
ON CONFLICT (series_id, bucket) DO UPDATE
   SET n = EXCLUDED.n, sum = EXCLUDED.sum, minimum = EXCLUDED.minimum, maximum = EXCLUDED.maximum
 WHERE (d.n, d.sum, d.minimum, d.maximum)
       IS DISTINCT FROM (EXCLUDED.n, EXCLUDED.sum, EXCLUDED.minimum, EXCLUDED.maximum)

-- name: refresh_hour_aggregate
-- TimescaleDB recomputes, inside this window, what was written to since the last time.
CALL refresh_continuous_aggregate('readings_hour_rollup', %(since)s::timestamptz, %(until)s::timestamptz)

-- name: refresh_day_aggregate
-- After the hours.
CALL refresh_continuous_aggregate('readings_day_rollup', %(since)s::timestamptz, %(until)s::timestamptz)

-- name: mark_refreshed
-- For what builds on the hours; appended only, so that whoever counts them waits for nobody.
INSERT INTO rollups_refreshed (hour) SELECT unnest(%(hours)s::timestamptz[])

-- name: stop_sinks
-- Wait for the sinks that are writing, and keep the others waiting until what goes has gone.
SELECT pg_advisory_xact_lock(hashtext('citynerve.readings'))

-- name: wait_briefly
-- Readers come first: give up before a wait for them becomes a deadlock with them, and try at the next round.
SET LOCAL lock_timeout = '500ms'

-- name: plain_old
-- Partitions that lie wholly before the horizon, oldest first, and whether rollups of theirs are still to be done.
SELECT format('%%I', p.relname), p.since, p.until,
       EXISTS (SELECT FROM rollups_touched AS t WHERE t.hour > p.since - interval '1 hour' AND t.hour < p.until)
  FROM (SELECT c.relname, to_timestamp(m.stamp[1] || '+00', m.form) AS since,
               to_timestamp(m.stamp[1] || '+00', m.form) + m.holds AS until
          FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
         CROSS JOIN LATERAL (
               SELECT regexp_match(c.relname, '_([0-9]{4}_[0-9]{2}_[0-9]{2})$') AS stamp, 'YYYY_MM_DDTZH' AS form,
                      interval '1 day' AS holds
                UNION ALL
               SELECT regexp_match(c.relname, '[^0-9]_([0-9]{4}_[0-9]{2})$'), 'YYYY_MMTZH', interval '1 month') AS m
         WHERE i.inhparent = %(parent)s::regclass AND m.stamp IS NOT NULL) AS p, readings_layout AS l
 WHERE p.until <= %(horizon)s AND (l.days_since IS NULL OR p.since >= l.days_since)
 ORDER BY p.since

-- name: timescale_old
-- Chunks that lie wholly before the horizon, oldest first, and whether rollups of theirs are still to be done.
SELECT format('%%I.%%I', c.chunk_schema, c.chunk_name), c.range_start, c.range_end,
       EXISTS (SELECT FROM rollups_touched AS t
                WHERE t.hour > c.range_start - interval '1 hour' AND t.hour < c.range_end)
  FROM timescaledb_information.chunks AS c, readings_layout AS l
 WHERE c.hypertable_schema = current_schema AND c.hypertable_name = 'readings' AND c.range_end <= %(horizon)s
   AND (l.days_since IS NULL OR c.range_start >= l.days_since)
 ORDER BY c.range_start

-- name: drop_partition
DROP TABLE {partition}

-- name: drop_chunks
-- Exactly one chunk.
SELECT drop_chunks('readings', older_than => %(range_end)s::timestamptz, newer_than => %(range_start)s::timestamptz)

-- name: raise_raw_since
-- From now on nothing refreshes before this.
UPDATE readings_layout SET raw_since = GREATEST(raw_since, %(raw_since)s)

-- name: compressible
-- Chunks behind the horizon of back-logs, not yet compressed, or written to since (status: 2 unordered, 8 partial), whose rollups are done.
SELECT format('%%I.%%I', c.chunk_schema, c.chunk_name)
  FROM timescaledb_information.chunks AS c
  JOIN _timescaledb_catalog.chunk AS k ON k.schema_name = c.chunk_schema AND k.table_name = c.chunk_name
 WHERE c.hypertable_name = 'readings' AND c.range_end <= %(horizon)s
   AND (NOT c.is_compressed OR k.status & 10 <> 0)
   AND NOT EXISTS (SELECT FROM rollups_touched AS t
                    WHERE t.hour > c.range_start - interval '1 hour' AND t.hour < c.range_end)
 ORDER BY c.range_start
 LIMIT %(limit)s

-- name: compress
SELECT compress_chunk(%(chunk)s::regclass, if_not_compressed => true)
