-- The ledger as people read it. Each statement is one moment: the sum holds in every row of it.

-- name: read
-- A page, newest hour first, with what is set aside by reason and the numbers that are missing. Each side gives its first
-- rows only: what is among the first of both together is among the first of its own side.
WITH lost AS (
    SELECT gateway_id, hour, sum(messages)::bigint AS missing FROM (
        SELECT gateway_id, hour, upper(numbers) - lower(numbers) AS messages FROM ledger_gaps
        UNION ALL SELECT gateway_id, hour, messages FROM ledger_lost) AS gaps
     WHERE (%(gateway_id)s::text IS NULL OR gateway_id = %(gateway_id)s)
       AND (%(since)s::timestamptz IS NULL OR hour >= %(since)s)
       AND (%(until)s::timestamptz IS NULL OR hour < %(until)s)
       AND (%(after_hour)s::timestamptz IS NULL OR hour < %(after_hour)s
            OR (hour = %(after_hour)s AND gateway_id > %(after_gateway)s))
     GROUP BY gateway_id, hour
     ORDER BY hour DESC, gateway_id
     LIMIT %(limit)s
), counted AS (
    SELECT * FROM ledger
     WHERE (%(gateway_id)s::text IS NULL OR gateway_id = %(gateway_id)s)
       AND (%(since)s::timestamptz IS NULL OR hour >= %(since)s)
       AND (%(until)s::timestamptz IS NULL OR hour < %(until)s)
       AND (%(after_hour)s::timestamptz IS NULL OR hour <= %(after_hour)s)
       AND (%(after_hour)s::timestamptz IS NULL OR hour < %(after_hour)s
            OR (hour = %(after_hour)s AND gateway_id > %(after_gateway)s))
     ORDER BY hour DESC, gateway_id
     LIMIT %(limit)s
), shown AS (
    SELECT gateway_id, hour, COALESCE(appended, 0) AS appended, COALESCE(stored, 0) AS stored,
           COALESCE(duplicate, 0) AS duplicate, COALESCE(conflicting, 0) AS conflicting,
           COALESCE(quarantined, 0) AS quarantined, COALESCE(missing, 0) AS missing
      FROM counted FULL JOIN lost USING (gateway_id, hour)
     ORDER BY hour DESC, gateway_id
     LIMIT %(limit)s
)
SELECT s.*, reasons.units, gaps.numbers
  FROM shown AS s
 CROSS JOIN LATERAL (
       SELECT jsonb_object_agg(reason, units) AS units FROM (
           SELECT reason, sum(units - settled) AS units FROM dead_letters AS d
            WHERE s.quarantined > 0 AND d.hour = s.hour AND d.gateway_id = s.gateway_id AND d.settled < d.units
            GROUP BY reason) AS r) AS reasons
 CROSS JOIN LATERAL (
       SELECT jsonb_agg(jsonb_build_array(epoch, first, last) ORDER BY epoch, first) AS numbers FROM (
           SELECT epoch, lower(numbers) AS first, upper(numbers) - 1 AS last FROM ledger_gaps AS g
            WHERE s.missing > 0 AND g.hour = s.hour AND g.gateway_id = s.gateway_id
            ORDER BY epoch, numbers LIMIT %(gaps_max)s) AS g) AS gaps
 ORDER BY s.hour DESC, s.gateway_id

-- name: totals
-- All that fits in one row, and how many rows have less appended than arrived.
SELECT COALESCE(sum(appended), 0)::bigint, COALESCE(sum(stored), 0)::bigint, COALESCE(sum(duplicate), 0)::bigint,
       COALESCE(sum(conflicting), 0)::bigint, COALESCE(sum(quarantined), 0)::bigint,
       (SELECT COALESCE(sum(messages), 0) FROM (
            SELECT gateway_id, hour, upper(numbers) - lower(numbers) AS messages FROM ledger_gaps
            UNION ALL SELECT gateway_id, hour, messages FROM ledger_lost) AS gaps
         WHERE (%(gateway_id)s::text IS NULL OR gateway_id = %(gateway_id)s)
           AND (%(since)s::timestamptz IS NULL OR hour >= %(since)s)
           AND (%(until)s::timestamptz IS NULL OR hour < %(until)s))::bigint,
       (SELECT COALESCE(sum(runs), 0) FROM ledger_forgotten
         WHERE (%(gateway_id)s::text IS NULL OR gateway_id = %(gateway_id)s)
           AND (%(since)s::timestamptz IS NULL OR hour >= %(since)s)
           AND (%(until)s::timestamptz IS NULL OR hour < %(until)s))::bigint,
       count(*) FILTER (WHERE appended < stored + duplicate + conflicting + quarantined
                           OR LEAST(stored, duplicate, conflicting, quarantined) < 0)
  FROM ledger
 WHERE (%(gateway_id)s::text IS NULL OR gateway_id = %(gateway_id)s)
   AND (%(since)s::timestamptz IS NULL OR hour >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR hour < %(until)s)

-- name: deaths
-- When the broker died and lost what it had acknowledged and not handed on, the newest first.
SELECT last_heard_at, back_at FROM broker_deaths
 WHERE (%(since)s::timestamptz IS NULL OR back_at >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR back_at < %(until)s)
 ORDER BY back_at DESC LIMIT %(limit)s

-- name: hours
-- The last hours that fit, all gateways together, the newest first.
SELECT hour, sum(appended)::bigint, sum(stored + duplicate)::bigint, sum(conflicting + quarantined)::bigint
  FROM ledger
 WHERE (%(gateway_id)s::text IS NULL OR gateway_id = %(gateway_id)s)
   AND (%(since)s::timestamptz IS NULL OR hour >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR hour < %(until)s)
 GROUP BY hour ORDER BY hour DESC LIMIT %(limit)s
