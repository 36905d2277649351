-- What could not be understood: kept with its bytes and reason, and sent back into the log once the cause is mended.

-- name: keep
-- One letter; a repeat has no effect. What a replay settled before the letter arrived here (a restored database) counts.
INSERT INTO dead_letters (letter_id, reason, detail, topic, payload, gateway_id, received_at, hour, units,
                          only_readings, settled, sent_back, portions)
SELECT %(letter_id)s, %(reason)s, %(detail)s, %(topic)s, %(payload)s, %(gateway_id)s, %(received_at)s, %(hour)s,
       %(units)s, %(only_readings)s,
       COALESCE(sum(settles) FILTER (WHERE stored), 0), COALESCE(sum(settles), 0), COALESCE(max(portion) + 1, 0)
  FROM dead_letter_replays WHERE letter_id = %(letter_id)s
ON CONFLICT (letter_id) DO NOTHING

-- name: list
-- A page of letters, newest first.
SELECT letter_id, reason, detail, topic, gateway_id, received_at, units, only_readings, sent_back, settled,
       replayed_at, octet_length(payload)
  FROM dead_letters
 WHERE (NOT %(open)s OR sent_back < units)
   AND (%(reason)s::text IS NULL OR reason = %(reason)s)
   AND (%(gateway_id)s::text IS NULL OR gateway_id = %(gateway_id)s)
   AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)
   AND (%(letter_ids)s::text[] IS NULL OR letter_id = ANY(%(letter_ids)s))
   AND (%(after_at)s::timestamptz IS NULL OR (received_at, letter_id) < (%(after_at)s, %(after_id)s))
 ORDER BY received_at DESC, letter_id DESC
 LIMIT %(limit)s

-- name: count_by_reason
-- What waits to be mended.
SELECT reason, count(*), sum(units - sent_back)::bigint FROM dead_letters WHERE sent_back < units
 GROUP BY reason ORDER BY 3 DESC, reason

-- name: inspect
SELECT reason, detail, topic, payload, gateway_id, received_at, units, only_readings FROM dead_letters
 WHERE letter_id = %(letter_id)s

-- name: hold
-- Letters to be replayed now; a second replay of the same ones waits here and finds them done.
SELECT letter_id, reason, detail, topic, payload, gateway_id, received_at, units, only_readings, hour, portions,
       sent_back
  FROM dead_letters WHERE letter_id = ANY(%(letter_ids)s) AND sent_back < units
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
       reason = %(reason)s, detail = %(detail)s, replayed_at = %(replayed_at)s
 WHERE letter_id = %(letter_id)s

-- name: still_bad
-- Nothing could be made of it today either.
UPDATE dead_letters SET reason = %(reason)s, detail = %(detail)s, replayed_at = %(replayed_at)s
 WHERE letter_id = %(letter_id)s

-- name: unsent
-- Portions that are planned and perhaps not on the log yet.
SELECT letter_id, portion, partition, value, meta, at_us FROM dead_letter_replays WHERE value IS NOT NULL
 ORDER BY letter_id, portion, partition LIMIT %(limit)s

-- name: sent
-- On the log; the bytes are not needed twice.
UPDATE dead_letter_replays SET value = NULL, meta = NULL
 WHERE letter_id = %(letter_id)s AND portion = %(portion)s AND partition = %(partition)s
