-- What could not be understood: kept with its bytes and reason.

-- name: keep
-- One letter; a repeat has no effect. What a replay settled before the letter arrived here (a restored database) counts.
INSERT INTO dead_letters (letter_id, reason, detail, topic, payload, gateway_id, received_at, hour, units,
                          only_readings, devices, settled, sent_back, portions)
SELECT %(letter_id)s, %(reason)s, %(detail)s, %(topic)s, %(payload)s, %(gateway_id)s, %(received_at)s, %(hour)s,
       %(units)s, %(only_readings)s, %(devices)s,
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
