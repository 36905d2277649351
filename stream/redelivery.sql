-- The return of dead letters into the log, once the cause is mended.

-- name: hold
-- Letters to be replayed now; a second replay of the same ones waits here and finds them done.
SELECT letter_id, reason, detail, topic, payload, gateway_id, received_at, units, only_readings, retained, hour,
       portions, sent_back
  FROM dead_letters WHERE letter_id = ANY(%(letter_ids)s) AND state = 'open'
 ORDER BY letter_id
   FOR UPDATE

-- name: plan
-- A portion that goes back to one partition of readings.
INSERT INTO dead_letter_replays (letter_id, portion, partition, settles, value, meta, at_us)
VALUES (%(letter_id)s, %(portion)s, %(partition)s, %(settles)s, %(value)s, %(meta)s, %(at_us)s)

-- name: planned
-- Part of the letter goes back; the rest stays, with the reason of today.
UPDATE dead_letters
   SET portions = portions + 1, sent_back = sent_back + %(settles)s, only_readings = %(only_readings)s,
       reason = %(reason)s, detail = %(detail)s, replayed_at = %(replayed_at)s, tries = tries + 1,
       devices = %(devices)s
 WHERE letter_id = %(letter_id)s

-- name: still_bad
-- Nothing could be made of it today either.
UPDATE dead_letters
   SET reason = %(reason)s, detail = %(detail)s, replayed_at = %(replayed_at)s, tries = tries + 1,
       devices = %(devices)s
 WHERE letter_id = %(letter_id)s

-- name: note
-- What a replay did with a letter.
INSERT INTO dead_letter_events (letter_id, kind, at, actor, readings, reason, detail)
VALUES (%(letter_id)s, %(kind)s, %(replayed_at)s, %(actor)s, %(readings)s, %(reason)s, %(detail)s)

-- name: unsent
-- Portions that are planned and perhaps not on the log yet.
SELECT letter_id, portion, partition, value, meta, at_us FROM dead_letter_replays WHERE value IS NOT NULL
 ORDER BY letter_id, portion, partition LIMIT %(limit)s

-- name: sent
-- On the log; the bytes are not needed twice.
UPDATE dead_letter_replays SET value = NULL, meta = NULL
 WHERE letter_id = %(letter_id)s AND portion = %(portion)s AND partition = %(partition)s
