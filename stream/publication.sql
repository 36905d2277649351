-- The registry onto the log.

-- name: lock
-- One import or publication at a time, over all processes; released with the transaction.
SELECT pg_advisory_xact_lock(7201001)

-- name: published
UPDATE installation
   SET published_version = %(version)s, published_at_us = %(at_us)s, log_identity = %(log_identity)s

-- name: partitions
SELECT shard, partition FROM shards
