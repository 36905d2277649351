-- What replays have planned, until the log has it.

-- name: plan
-- A portion that goes back to one partition of readings.
INSERT INTO dead_letter_replays (letter_id, portion, partition, settles, value, meta, at_us)
VALUES (%(letter_id)s, %(portion)s, %(partition)s, %(settles)s, %(value)s, %(meta)s, %(at_us)s)

-- name: unsent
-- Portions that are planned and perhaps not on the log yet, from a place on.
SELECT letter_id, portion, partition, value, meta, at_us FROM dead_letter_replays
 WHERE value IS NOT NULL AND (letter_id, portion, partition) > (%(letter_id)s, %(portion)s, %(partition)s)
 ORDER BY letter_id, portion, partition LIMIT %(limit)s

-- name: sent
-- On the log; the bytes are not needed twice.
UPDATE dead_letter_replays SET value = NULL, meta = NULL
 WHERE letter_id = %(letter_id)s AND portion = %(portion)s AND partition = %(partition)s

-- name: too_large
-- Planned portions that no log takes, held while they are divided, and the next portion of their letter.
SELECT r.letter_id, r.portion, r.partition, r.settles, r.value, r.meta, r.at_us, d.portions
  FROM dead_letter_replays AS r JOIN dead_letters AS d USING (letter_id)
 WHERE r.value IS NOT NULL AND octet_length(r.value) > %(limit)s
 ORDER BY r.letter_id, r.portion, r.partition LIMIT 1
   FOR UPDATE

-- name: unplan
-- A portion that gives way to smaller ones.
DELETE FROM dead_letter_replays
 WHERE letter_id = %(letter_id)s AND portion = %(portion)s AND partition = %(partition)s

-- name: more_portions
-- A portion became several.
UPDATE dead_letters SET portions = portions + %(portions)s WHERE letter_id = %(letter_id)s
