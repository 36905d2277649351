-- name: known
-- Where a group goes on from a checkpoint.
SELECT topic, partition FROM checkpoints WHERE worker_group = %(group)s AND next_offset >= 0

-- name: claim
-- Take a partition over: the next generation, and what the last owner saved. The older owner is fenced from now on.
-- A group that never worked, or that forgot where it was, begins at the first record that the log still has.
INSERT INTO checkpoints AS c (worker_group, topic, partition, generation, next_offset, log_identity, code_version)
VALUES (%(group)s, %(topic)s, %(partition)s, 1, %(first_offset)s, %(log_identity)s, %(code_version)s)
ON CONFLICT (worker_group, topic, partition) DO UPDATE
   SET generation = c.generation + 1,
       next_offset = CASE WHEN c.next_offset < 0 THEN EXCLUDED.next_offset ELSE c.next_offset END
RETURNING generation, next_offset, log_identity, code_version, state

-- name: save
-- Save state and offset, unless a newer generation owns the partition.
UPDATE checkpoints
   SET next_offset = %(next_offset)s, state = %(state)s, log_identity = %(log_identity)s,
       code_version = %(code_version)s, saved_at = now()
 WHERE worker_group = %(group)s AND topic = %(topic)s AND partition = %(partition)s AND generation = %(generation)s

-- name: adopt
-- Accept another log as the continuation of the one that the checkpoints belong to: state stays, offsets start anew.
-- Whoever still works on the old one is fenced.
UPDATE checkpoints SET log_identity = %(log_identity)s, next_offset = -1, generation = generation + 1,
       ticked_at = NULL
 WHERE log_identity <> %(log_identity)s

-- name: restart_ledger
-- Offsets begin anew, so what was folded up to which of them no longer says anything.
DELETE FROM ledger_positions

-- name: forget
-- Compute states anew from the first record of the log. Whoever works now is fenced, or it would save over this.
UPDATE checkpoints SET state = NULL, next_offset = -1, generation = generation + 1 WHERE worker_group = %(group)s
