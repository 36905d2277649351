-- name: create_identity
-- A log gets its identity once and keeps it.
INSERT INTO log_identity (identity) VALUES (gen_random_uuid()::text) ON CONFLICT DO NOTHING

-- name: set_size_limit
-- The limit is the log's, not the connection's: all writers obey the same.
UPDATE log_identity SET max_bytes = %(max_bytes)s WHERE max_bytes <> %(max_bytes)s

-- name: read_identity
-- Who we are.
SELECT identity FROM log_identity

-- name: create_partition
-- One row a partition; what exists stays.
INSERT INTO log_heads (topic, partition) VALUES (%(topic)s, %(partition)s) ON CONFLICT DO NOTHING

-- name: count_partitions
-- Partitions of the topics asked for.
SELECT topic, count(*) FROM log_heads WHERE topic = ANY(%(topics)s) GROUP BY topic

-- name: lock_topics
-- Two processes that create topics take turns.
SELECT pg_advisory_xact_lock(7236837413)

-- name: lock_heads
-- Always in the same order, so that writers of several partitions wait for each other and never in a circle.
SELECT 1
  FROM log_heads h
 WHERE (h.topic, h.partition) IN (SELECT * FROM unnest(%(topics)s::text[], %(partitions)s::int[]))
 ORDER BY h.topic, h.partition
   FOR NO KEY UPDATE

-- name: append
-- Offsets come from the heads, which stay locked until the commit: what a reader sees of a partition has no gap.
-- Returns nothing, and appends nothing, if the log is at its limit times `room`.
WITH heads AS (
    UPDATE log_heads h
       SET next_offset = h.next_offset + a.records, bytes = h.bytes + a.bytes
      FROM unnest(%(topics)s::text[], %(partitions)s::int[], %(counts)s::bigint[], %(bytes)s::bigint[])
           AS a (topic, partition, records, bytes)
     WHERE h.topic = a.topic AND h.partition = a.partition
       AND (SELECT coalesce(sum(bytes), 0) FROM log_heads) + %(total_bytes)s
           <= (SELECT max_bytes FROM log_identity) * %(room)s
    RETURNING h.topic, h.partition, h.next_offset - a.records AS first_offset
), inserted AS (
    INSERT INTO log_records (topic, partition, "offset", kind, meta, at_us, value)
    SELECT r.topic, r.partition, heads.first_offset + r.rank, r.kind, r.meta, r.at_us, r.value
      FROM unnest(%(record_topics)s::text[], %(record_partitions)s::int[], %(ranks)s::bigint[], %(kinds)s::text[],
                  %(metas)b::bytea[], %(ats)s::bigint[], %(record_values)b::bytea[])
           AS r (topic, partition, rank, kind, meta, at_us, value)
      JOIN heads ON heads.topic = r.topic AND heads.partition = r.partition
)
SELECT topic, partition, first_offset FROM heads

-- name: fetch
-- The next records of several partitions in one round trip: a share of each, up to so many records and bytes in all,
-- but always at least one. Sizes are known without reading the values.
SELECT topic, partition, "offset", kind, meta, at_us, value
  FROM (SELECT r.*, a.turn,
               sum(octet_length(r.value)) OVER running - octet_length(r.value) AS bytes_before
          FROM unnest(%(topics)s::text[], %(partitions)s::int[], %(offsets)s::bigint[])
               WITH ORDINALITY AS a (topic, partition, position, turn)
         CROSS JOIN LATERAL (SELECT *
                               FROM log_records l
                              WHERE l.topic = a.topic AND l.partition = a.partition AND l."offset" >= a.position
                              ORDER BY l."offset"
                              LIMIT %(each)s) r
        WINDOW running AS (ORDER BY a.turn, r."offset")) found
 WHERE bytes_before < %(max_bytes)s
 ORDER BY turn, "offset"
 LIMIT %(max_records)s

-- name: bounds_of
-- Begin and end of some partitions.
SELECT h.topic, h.partition, h.begin_offset, h.next_offset
  FROM log_heads h
 WHERE (h.topic, h.partition) IN (SELECT * FROM unnest(%(topics)s::text[], %(partitions)s::int[]))

-- name: bounds
-- Begin and end of every partition of a topic.
SELECT partition, begin_offset, next_offset FROM log_heads WHERE topic = %(topic)s

-- name: committed
-- What a group has committed of a topic.
SELECT partition, next_offset
  FROM log_leases
 WHERE worker_group = %(group)s AND topic = %(topic)s AND next_offset IS NOT NULL

-- name: lock_head
-- One partition, until the end of the transaction.
SELECT begin_offset, next_offset
  FROM log_heads
 WHERE topic = %(topic)s AND partition = %(partition)s
   FOR NO KEY UPDATE

-- name: slowest
-- How far the slowest group is that ever committed on the topic; NULL if there is none.
SELECT min(coalesce(l.next_offset, 0))
  FROM (SELECT DISTINCT worker_group FROM log_leases WHERE topic = %(topic)s AND next_offset IS NOT NULL) g
  LEFT JOIN log_leases l
    ON l.worker_group = g.worker_group AND l.topic = %(topic)s AND l.partition = %(partition)s

-- name: old_until
-- Of the next thousand records, the end of those at the front that are old.
SELECT coalesce(min("offset") FILTER (WHERE at_us >= %(before_us)s), max("offset") + 1)
  FROM (SELECT "offset", at_us
          FROM log_records
         WHERE topic = %(topic)s AND partition = %(partition)s AND "offset" >= %(begin)s
         ORDER BY "offset"
         LIMIT 1000) front

-- name: trim
-- Delete up to an offset and give the room back to the limit.
WITH gone AS (
    DELETE FROM log_records
     WHERE topic = %(topic)s AND partition = %(partition)s AND "offset" < %(until)s
    RETURNING octet_length(value) + octet_length(meta) + %(overhead)s AS bytes
)
UPDATE log_heads
   SET begin_offset = %(until)s, bytes = greatest(0, bytes - (SELECT coalesce(sum(gone.bytes), 0) FROM gone))
 WHERE topic = %(topic)s AND partition = %(partition)s

-- name: create_group
-- A group exists from its first member on.
INSERT INTO log_groups (worker_group) VALUES (%(group)s) ON CONFLICT DO NOTHING

-- name: lock_group
-- Who holds this row decides who reads what.
SELECT generation FROM log_groups WHERE worker_group = %(group)s FOR UPDATE

-- name: add_member
-- The clock is the server's and stands still for nobody who waited for the lock.
INSERT INTO log_members (worker_group, member, topics, expires_at)
VALUES (%(group)s, %(member)s, %(topics)s, clock_timestamp() + %(session)s)

-- name: drop_member
-- Goodbye.
DELETE FROM log_members WHERE worker_group = %(group)s AND member = %(member)s

-- name: drop_expired
-- Members that were not heard of in time.
DELETE FROM log_members WHERE worker_group = %(group)s AND expires_at <= clock_timestamp()

-- name: members
-- Who reads what.
SELECT member, topics FROM log_members WHERE worker_group = %(group)s

-- name: owners
-- Every partition that the group reads, with its owner.
SELECT h.topic, h.partition, l.member
  FROM log_heads h
  LEFT JOIN log_leases l
    ON l.worker_group = %(group)s AND l.topic = h.topic AND l.partition = h.partition
 WHERE h.topic = ANY(%(topics)s) OR l.member IS NOT NULL

-- name: next_generation
-- Each rebalance is one.
UPDATE log_groups SET generation = generation + 1 WHERE worker_group = %(group)s RETURNING generation

-- name: lease
-- Hand partitions over; what keeps its owner keeps the generation in which it got it.
INSERT INTO log_leases AS l (worker_group, topic, partition, member, generation)
SELECT %(group)s, a.topic, a.partition, a.member, %(generation)s
  FROM unnest(%(topics)s::text[], %(partitions)s::int[], %(members)s::text[]) AS a (topic, partition, member)
ON CONFLICT (worker_group, topic, partition) DO UPDATE
   SET member = excluded.member, generation = excluded.generation
 WHERE l.member IS DISTINCT FROM excluded.member

-- name: leases_of
-- What a member owns, and where to begin.
SELECT l.topic, l.partition, l.generation, coalesce(l.next_offset, h.begin_offset)
  FROM log_leases l
  JOIN log_heads h ON h.topic = l.topic AND h.partition = l.partition
 WHERE l.worker_group = %(group)s AND l.member = %(member)s

-- name: watch
-- The group's generation, whether we are a living member, and whether another one is overdue.
SELECT g.generation,
       EXISTS (SELECT 1 FROM log_members m
                WHERE m.worker_group = g.worker_group AND m.member = %(member)s AND m.expires_at > clock_timestamp()),
       EXISTS (SELECT 1 FROM log_members m
                WHERE m.worker_group = g.worker_group AND m.expires_at <= clock_timestamp())
  FROM log_groups g
 WHERE g.worker_group = %(group)s

-- name: heartbeat
-- Who is overdue already stays so: the partitions may be another's any moment.
UPDATE log_members
   SET expires_at = clock_timestamp() + %(session)s
 WHERE worker_group = %(group)s AND member = %(member)s AND expires_at > clock_timestamp()

-- name: commit
-- Only of leases that are still ours, of the generation in which we got them, while we count as alive.
UPDATE log_leases l
   SET next_offset = a.next_offset
  FROM unnest(%(topics)s::text[], %(partitions)s::int[], %(generations)s::bigint[], %(offsets)s::bigint[])
       AS a (topic, partition, generation, next_offset)
 WHERE l.worker_group = %(group)s AND l.topic = a.topic AND l.partition = a.partition
   AND l.member = %(member)s AND l.generation = a.generation
   AND EXISTS (SELECT 1 FROM log_members m
                WHERE m.worker_group = %(group)s AND m.member = %(member)s AND m.expires_at > clock_timestamp())
