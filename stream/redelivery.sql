-- The return of dead letters into the log, once the cause is mended.

-- name: hold
-- Letters to be replayed now; a second replay of the same ones waits here and finds them done.
SELECT letter_id, reason, detail, topic, payload, gateway_id, received_at, units, only_readings, retained, hour,
       portions, sent_back
  FROM dead_letters WHERE letter_id = ANY(%(letter_ids)s) AND state = 'open'
 ORDER BY letter_id
   FOR UPDATE

-- name: planned
-- Part of the letter goes back; the rest stays, with the reason of today.
UPDATE dead_letters
   SET portions = portions + %(portions)s, sent_back = sent_back + %(settles)s, only_readings = %(only_readings)s,
       reason = %(reason)s, detail = %(detail)s, replayed_at = %(replayed_at)s, tries = tries + 1,
       devices = COALESCE(%(devices)s, devices)
 WHERE letter_id = %(letter_id)s

-- name: still_bad
-- Nothing could be made of it today either.
UPDATE dead_letters
   SET reason = %(reason)s, detail = %(detail)s, replayed_at = %(replayed_at)s, tries = tries + 1,
       devices = COALESCE(%(devices)s, devices)
 WHERE letter_id = %(letter_id)s

-- name: note
-- What a replay did with a letter.
INSERT INTO dead_letter_events (letter_id, kind, at, actor, readings, reason, detail)
VALUES (%(letter_id)s, %(kind)s, %(replayed_at)s, %(actor)s, %(readings)s, %(reason)s, %(detail)s)
