-- What operators ask of dead letters, and what they decide about them.

-- name: slice_end
-- Where a search that looks into payloads stops for now. By the index of time, or of reason or gateway with it.
SELECT received_at, letter_id FROM dead_letters
 WHERE state = %(state)s
   AND (%(reason)s::text IS NULL OR reason = %(reason)s)
   AND (%(gateway_id)s::text IS NULL OR gateway_id = %(gateway_id)s)
   AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)
   AND (%(after_at)s::timestamptz IS NULL OR (received_at, letter_id) < (%(after_at)s, %(after_id)s))
 ORDER BY received_at DESC, letter_id DESC
OFFSET %(skip)s LIMIT 1

-- name: list
-- A page of letters, newest first. Text is looked for in the first bytes of a payload as they are escaped for people, so
-- that what is no text does not stand in the way; capitals do not matter.
SELECT letter_id, reason, detail, topic, gateway_id, received_at, units,
       jsonb_path_query_array(only_readings, '$[0 to 99]'), sent_back, settled, replayed_at,
       octet_length(payload), state, tries
  FROM dead_letters
 WHERE state = %(state)s
   AND (%(reason)s::text IS NULL OR reason = %(reason)s)
   AND (%(gateway_id)s::text IS NULL OR gateway_id = %(gateway_id)s)
   AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)
   AND (%(after_at)s::timestamptz IS NULL OR (received_at, letter_id) < (%(after_at)s, %(after_id)s))
   AND (%(end_at)s::timestamptz IS NULL OR (received_at, letter_id) >= (%(end_at)s, %(end_id)s))
   AND (%(topic)s::text IS NULL OR strpos(lower(topic), lower(%(topic)s)) > 0)
   AND (%(text)s::text IS NULL
        OR strpos(lower(encode(substr(payload, 1, %(searched_bytes)s), 'escape')),
                  lower(encode(convert_to(%(text)s, 'UTF8'), 'escape'))) > 0)
 ORDER BY received_at DESC, letter_id DESC
 LIMIT %(limit)s

-- name: count_by_reason
-- What waits to be mended: from an index alone.
SELECT reason, count(*), sum(units - sent_back)::bigint FROM dead_letters WHERE state = 'open'
 GROUP BY reason ORDER BY 3 DESC, reason

-- name: inspect
-- One letter, as in a list, and its bytes.
SELECT letter_id, reason, detail, topic, gateway_id, received_at, units,
       jsonb_path_query_array(only_readings, '$[0 to 999]'), sent_back, settled, replayed_at,
       octet_length(payload), state, tries, payload
  FROM dead_letters WHERE letter_id = %(letter_id)s

-- name: states
-- What became of letters.
SELECT letter_id, state FROM dead_letters WHERE letter_id = ANY(%(letter_ids)s)

-- name: history
-- What happened to one letter, the oldest first.
SELECT kind, at, actor, readings, reason, detail FROM (
    SELECT * FROM dead_letter_events WHERE letter_id = %(letter_id)s ORDER BY event_id DESC LIMIT %(limit)s) AS latest
 ORDER BY event_id

-- name: mark
-- Letters leave the open list, or come back to it; those that are there already, or done, are passed over. In the order of
-- their ids, as a replay holds them.
WITH held AS (
    SELECT letter_id FROM dead_letters
     WHERE letter_id = ANY(%(letter_ids)s) AND sent_back < units AND unwanted <> %(unwanted)s
     ORDER BY letter_id
       FOR UPDATE
), marked AS (
    UPDATE dead_letters AS d SET unwanted = %(unwanted)s FROM held AS h WHERE d.letter_id = h.letter_id
    RETURNING d.letter_id
)
INSERT INTO dead_letter_events (letter_id, kind, at, actor, reason)
SELECT letter_id, CASE WHEN %(unwanted)s THEN 'not-wanted' ELSE 'wanted-again' END, %(at)s, %(actor)s, %(reason)s
  FROM marked ORDER BY letter_id
RETURNING letter_id

-- name: forget
-- Letters that came back and are stored, with all that is known of them; a few at a time, so that nobody waits for long.
WITH old AS (
    SELECT letter_id FROM dead_letters WHERE settled >= units AND replayed_at < %(before)s
     ORDER BY replayed_at LIMIT %(limit)s
       FOR UPDATE SKIP LOCKED
), events AS (
    DELETE FROM dead_letter_events AS e USING old AS o WHERE e.letter_id = o.letter_id
), replays AS (
    DELETE FROM dead_letter_replays AS r USING old AS o WHERE r.letter_id = o.letter_id
)
DELETE FROM dead_letters AS d USING old AS o WHERE d.letter_id = o.letter_id
