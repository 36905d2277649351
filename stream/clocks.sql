-- Gateways' clocks, as live traffic shows them.

-- name: fold
-- The age of the freshest reading of each gateway and hour; in the order of the key, as all who write here.
INSERT INTO gateway_clocks AS c (gateway_id, hour, least_age_us)
SELECT g.gateway_id, t.hour, min(t.least_age_us)
  FROM unnest(%(numbers)s::integer[], %(hours)s::timestamptz[], %(ages)s::bigint[]) AS t (number, hour, least_age_us)
  JOIN gateways AS g USING (number)
 GROUP BY g.gateway_id, t.hour
 ORDER BY g.gateway_id, t.hour
ON CONFLICT (gateway_id, hour) DO UPDATE SET least_age_us = LEAST(c.least_age_us, EXCLUDED.least_age_us)

-- name: forget
-- Two days are enough to see a clock drift.
DELETE FROM gateway_clocks WHERE hour < %(before)s

-- name: clocks
-- Per gateway the freshest reading of the last two hours in which it was heard live.
SELECT gateway_id, min(least_age_us) FROM gateway_clocks WHERE hour >= %(since)s GROUP BY gateway_id

-- name: clock
-- One gateway's: its last two hours, the newest of them first.
SELECT hour, least_age_us FROM gateway_clocks WHERE gateway_id = %(gateway_id)s ORDER BY hour DESC LIMIT 2
