-- How far workers have come.

-- name: checkpoints
SELECT worker_group, topic, partition, next_offset, extract(epoch FROM now() - saved_at)::float8
  FROM checkpoints ORDER BY worker_group, topic, partition
