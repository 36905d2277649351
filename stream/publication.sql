-- The registry onto the log.

-- name: published
UPDATE installation
   SET published_version = %(version)s, published_at_us = %(at_us)s, log_identity = %(log_identity)s

-- name: partitions
SELECT shard, partition FROM shards
