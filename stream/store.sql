-- The sink of readings: one COPY of a whole poll into a staging table, then one statement for all rows.

-- name: create_incoming
-- Rows of one poll; empties itself at the end of the transaction. Once per connection.
CREATE TEMPORARY TABLE IF NOT EXISTS incoming (
    series_id   integer NOT NULL,
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    value       double precision NOT NULL,
    quality     smallint NOT NULL,
    slot        integer NOT NULL,                          -- which row of the ledger counts it
    first       boolean NOT NULL                           -- of its key, in order of arrival
) ON COMMIT DELETE ROWS

-- name: create_leftover
-- Rows whose key was taken.
CREATE TEMPORARY TABLE IF NOT EXISTS leftover (LIKE incoming) ON COMMIT DELETE ROWS

-- name: copy_incoming
COPY incoming (series_id, observed_at, received_at, value, quality, slot, first) FROM STDIN (FORMAT binary)

-- name: hold_retention
-- Retention waits until this transaction ends, and this one until retention has dropped what it is about to drop.
SELECT pg_advisory_xact_lock_shared(hashtext('citynerve.readings'))

-- name: ensure_partitions
-- Plain layout: the months or days of this poll.
SELECT ensure_readings_partition('readings', since) FROM unnest(%(starts)s::timestamptz[]) AS since

-- name: allow_decompression
-- TimescaleDB: late rows may reach many compressed segments at once; the default limit would refuse them.
SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 0

-- name: few_chunks
-- TimescaleDB: choosing the chunk anew for each row costs four times the look-up, where there are but a few to look into.
SET LOCAL timescaledb.enable_chunk_append = off

-- name: store
-- The first value of a key wins, inside the poll and against the table; what finds its key taken is left over.
WITH stored AS (
    INSERT INTO readings (series_id, observed_at, received_at, value, quality)
    SELECT series_id, observed_at, received_at, value, quality FROM incoming WHERE first
    ON CONFLICT DO NOTHING
    RETURNING series_id, observed_at
)
INSERT INTO leftover
SELECT i.* FROM incoming AS i LEFT JOIN stored AS s USING (series_id, observed_at)
 WHERE NOT i.first OR s.series_id IS NULL

-- name: judge
-- Compare what was left over with what stands: equal is duplicate, different is conflicting and kept aside. Key by key
-- through the index (OFFSET 0), whatever the planner thinks of a table without statistics.
WITH judged AS (
    SELECT l.*, r.value = l.value AS same
      FROM leftover AS l
     CROSS JOIN LATERAL (
           SELECT value FROM readings
            WHERE series_id = l.series_id AND observed_at = l.observed_at
              AND observed_at BETWEEN %(earliest)s AND %(latest)s
           OFFSET 0) AS r
), kept AS (
    INSERT INTO readings_conflicting (series_id, observed_at, received_at, value, quality)
    SELECT series_id, observed_at, received_at, value, quality FROM judged WHERE NOT same
    ON CONFLICT DO NOTHING
)
SELECT slot, count(*) FILTER (WHERE same), count(*) FILTER (WHERE NOT same) FROM judged GROUP BY slot

-- name: touch
-- Buckets that have new rows.
INSERT INTO rollups_touched (hour, block)
SELECT hour, block FROM unnest(%(hours)s::timestamptz[], %(blocks)s::integer[]) AS t (hour, block)

-- name: ticked
-- All that was received before these ticks is stored, in this transaction or before. The checkpoint's row is ours already.
UPDATE checkpoints AS c SET ticked_at = t.at
  FROM unnest(%(topics)s::text[], %(partitions)s::integer[], %(at)s::timestamptz[]) AS t (topic, partition, at)
 WHERE c.worker_group = %(group)s AND c.topic = t.topic AND c.partition = t.partition

-- name: gateway_names
-- Names behind the numbers that batches carry.
SELECT number, gateway_id FROM gateways WHERE number = ANY(%(numbers)s)

-- name: settle
-- Units of a dead letter that are stored now.
WITH portion AS (
    UPDATE dead_letter_replays SET stored = true
     WHERE letter_id = %(letter_id)s AND portion = %(portion)s AND partition = %(partition)s
)
UPDATE dead_letters SET settled = settled + %(settles)s WHERE letter_id = %(letter_id)s
