-- The ledger: what was appended, and what became of it, per gateway and hour of receipt.

-- name: lock_position
-- Up to where a partition has been folded; the row is held until the transaction ends.
INSERT INTO ledger_positions AS p (topic, partition, next_offset) VALUES (%(topic)s, %(partition)s, %(first)s)
ON CONFLICT (topic, partition) DO UPDATE SET next_offset = p.next_offset
RETURNING next_offset

-- name: move_position
-- Folded up to here.
UPDATE ledger_positions SET next_offset = %(next_offset)s WHERE topic = %(topic)s AND partition = %(partition)s

-- name: take_replay
-- Of all records that bring a portion of a dead letter, the first one in its partition counts. Whoever comes first, the
-- follower or the sink, writes down which that is.
INSERT INTO dead_letter_replays AS r (letter_id, portion, partition, settles, record_offset)
VALUES (%(letter_id)s, %(portion)s, %(partition)s, %(settles)s, %(offset)s)
ON CONFLICT (letter_id, portion, partition)
  DO UPDATE SET record_offset = COALESCE(r.record_offset, EXCLUDED.record_offset)
RETURNING record_offset = %(offset)s

-- name: fold
-- Add to the ledger, in the order of its key so that two folds never wait for each other in a circle.
INSERT INTO ledger AS l (hour, gateway_id, appended, stored, duplicate, conflicting, quarantined)
SELECT * FROM unnest(%(hour)s::timestamptz[], %(gateway_id)s::text[], %(appended)s::bigint[], %(stored)s::bigint[],
                     %(duplicate)s::bigint[], %(conflicting)s::bigint[], %(quarantined)s::bigint[])
 ORDER BY 1, 2
ON CONFLICT (hour, gateway_id) DO UPDATE
   SET appended = l.appended + EXCLUDED.appended, stored = l.stored + EXCLUDED.stored,
       duplicate = l.duplicate + EXCLUDED.duplicate, conflicting = l.conflicting + EXCLUDED.conflicting,
       quarantined = l.quarantined + EXCLUDED.quarantined

-- name: see_numbers
-- Join the message numbers of these records with those seen before; the row of each run of numbers is held.
INSERT INTO ledger_numbers AS n (gateway_id, epoch, seen, seen_in)
SELECT gateway_id, epoch, range_agg(int8range(first, last, '[]')), max(hour)
  FROM unnest(%(gateway_id)s::text[], %(epoch)s::text[], %(first)s::bigint[], %(last)s::bigint[],
              %(hour)s::timestamptz[]) AS f (gateway_id, epoch, first, last, hour)
 GROUP BY gateway_id, epoch
 ORDER BY gateway_id, epoch
ON CONFLICT (gateway_id, epoch) DO UPDATE
   SET seen = n.seen + EXCLUDED.seen, seen_in = GREATEST(n.seen_in, EXCLUDED.seen_in)
RETURNING gateway_id, xmax = 0 AS fresh

-- name: pass_leaps
-- A hole wider than any gateway leaves is a counter that jumped, not that many lost messages: a new run begins behind it.
WITH holes AS (
    SELECT n.gateway_id, n.epoch, h.numbers
      FROM ledger_numbers AS n
     CROSS JOIN LATERAL unnest(int8multirange(range_merge(n.seen)) - n.seen) AS h (numbers)
     WHERE (n.gateway_id, n.epoch) IN (SELECT * FROM unnest(%(gateway_id)s::text[], %(epoch)s::text[]))
       AND upper(h.numbers) - lower(h.numbers) > %(leap_min)s
)
UPDATE ledger_numbers AS n SET seen = n.seen + h.passed
  FROM (SELECT gateway_id, epoch, range_agg(numbers) AS passed FROM holes GROUP BY gateway_id, epoch) AS h
 WHERE n.gateway_id = h.gateway_id AND n.epoch = h.epoch
RETURNING n.gateway_id, n.epoch, h.passed::text

-- name: fill_gaps
-- Gaps that these numbers fill, wholly or in part, go; what is left of them stays in its hour.
WITH fresh AS (
    SELECT gateway_id, epoch, range_agg(int8range(first, last, '[]')) AS numbers
      FROM unnest(%(gateway_id)s::text[], %(epoch)s::text[], %(first)s::bigint[], %(last)s::bigint[])
        AS f (gateway_id, epoch, first, last)
     GROUP BY gateway_id, epoch
), filled AS (
    DELETE FROM ledger_gaps AS g USING fresh AS f
     WHERE g.gateway_id = f.gateway_id AND g.epoch = f.epoch AND g.numbers && f.numbers
    RETURNING g.gateway_id, g.epoch, int8multirange(g.numbers) - f.numbers AS rest, g.hour
)
INSERT INTO ledger_gaps (gateway_id, epoch, numbers, hour)
SELECT gateway_id, epoch, unnest(rest), hour FROM filled

-- name: open_gaps
-- Numbers between the first and the last seen that are neither seen nor known to be missing: the hour that showed them
-- is that of these records.
WITH fresh AS (
    SELECT gateway_id, epoch, max(hour) AS hour
      FROM unnest(%(gateway_id)s::text[], %(epoch)s::text[], %(hour)s::timestamptz[]) AS f (gateway_id, epoch, hour)
     GROUP BY gateway_id, epoch
), holes AS (
    SELECT n.gateway_id, n.epoch, f.hour, int8multirange(range_merge(n.seen)) - n.seen
           - COALESCE((SELECT range_agg(g.numbers) FROM ledger_gaps AS g
                        WHERE g.gateway_id = n.gateway_id AND g.epoch = n.epoch), '{}') AS numbers
      FROM ledger_numbers AS n JOIN fresh AS f USING (gateway_id, epoch)
)
INSERT INTO ledger_gaps (gateway_id, epoch, numbers, hour)
SELECT gateway_id, epoch, unnest(numbers), hour FROM holes

-- name: forget_runs
-- A gateway that begins a new run of numbers with every message keeps its latest ones: as many as its devices of the
-- registry may have, and some. How many were forgotten is written down, in the hour in which each was seen last.
WITH kept AS (
    SELECT g.gateway_id, %(runs_max)s + %(runs_a_device)s * (
           SELECT count(*) FROM devices AS d WHERE d.gateway_id = g.gateway_id AND NOT d.retired) AS runs
      FROM unnest(%(gateway_id)s::text[]) AS g (gateway_id)
), places AS (
    SELECT n.gateway_id, n.epoch, k.runs,
           row_number() OVER (PARTITION BY n.gateway_id ORDER BY n.seen_in DESC, n.epoch DESC) AS place
      FROM ledger_numbers AS n JOIN kept AS k USING (gateway_id)
     WHERE (SELECT count(*) FROM ledger_numbers AS c WHERE c.gateway_id = k.gateway_id) > k.runs
), forgotten AS (
    DELETE FROM ledger_numbers AS n USING places AS p
     WHERE n.gateway_id = p.gateway_id AND n.epoch = p.epoch AND p.place > p.runs
    RETURNING n.gateway_id, n.epoch, n.seen_in
), gaps AS (
    DELETE FROM ledger_gaps AS g USING forgotten AS f WHERE g.gateway_id = f.gateway_id AND g.epoch = f.epoch
    RETURNING g.gateway_id, g.hour, g.numbers
), lost AS (
    INSERT INTO ledger_lost AS l (gateway_id, hour, messages)
    SELECT gateway_id, hour, sum(upper(numbers) - lower(numbers)) FROM gaps GROUP BY gateway_id, hour
    ON CONFLICT (gateway_id, hour) DO UPDATE SET messages = l.messages + EXCLUDED.messages
)
INSERT INTO ledger_forgotten AS l (gateway_id, hour, runs)
SELECT gateway_id, seen_in, count(*) FROM forgotten GROUP BY gateway_id, seen_in
ON CONFLICT (gateway_id, hour) DO UPDATE SET runs = l.runs + EXCLUDED.runs
RETURNING gateway_id, runs

-- name: broken_runs
-- Runs of numbers with more holes than a gateway that counts can leave.
SELECT gateway_id, epoch, count(*) FROM ledger_gaps WHERE gateway_id = ANY(%(gateway_id)s)
 GROUP BY gateway_id, epoch HAVING count(*) > %(gaps_max)s

-- name: join_oldest_gaps
-- Keep the latest gaps of a run one by one; the older ones become one, with the numbers between them left out of it:
-- they are counted as missing in the hour of the latest of them, and late arrivals no longer fill them.
WITH old AS (
    DELETE FROM ledger_gaps WHERE (gateway_id, epoch) = (%(gateway_id)s, %(epoch)s) AND numbers IN (
        SELECT numbers FROM ledger_gaps WHERE (gateway_id, epoch) = (%(gateway_id)s, %(epoch)s)
         ORDER BY numbers DESC OFFSET %(gaps_kept)s)
    RETURNING numbers, hour
), counted AS (
    INSERT INTO ledger_lost AS l (gateway_id, hour, messages)
    SELECT %(gateway_id)s, hour, sum(upper(numbers) - lower(numbers)) FROM old GROUP BY hour
    ON CONFLICT (gateway_id, hour) DO UPDATE SET messages = l.messages + EXCLUDED.messages
)
UPDATE ledger_numbers SET seen = seen + (SELECT int8multirange(range_merge(range_agg(numbers))) FROM old)
 WHERE (gateway_id, epoch) = (%(gateway_id)s, %(epoch)s)
