-- Who became known after bundles of isolated gateways were set aside in which its messages may lie.

-- name: due
-- Bundles that nobody has opened yet for somebody who became known after them, each gateway's in turn. A device is heard
-- through its own gateway alone; what gateways sent that nobody knew lies in bundles under no name, and so does what came
-- within the hour after one of them became known: who sets aside learns of it a little later.
WITH oldest AS (
    SELECT min(received_at) - interval '1 hour' AS at FROM dead_letters WHERE state = 'open' AND opened_to IS NOT NULL
), events AS MATERIALIZED (
    SELECT event_id, subject, subject_id, e.at, newcomer FROM registry_events e, oldest o WHERE e.at > o.at
), devices_new AS (
    -- Whatever is changed of a newcomer, such as its profile, may be what its messages waited for.
    SELECT d.gateway_id, max(e.event_id) AS event_id, max(e.at) FILTER (WHERE e.newcomer) AS at
      FROM events e
      JOIN devices d ON d.device_id = e.subject_id AND NOT d.retired
      JOIN assets a ON a.asset_id = d.gateway_id AND NOT a.retired
     WHERE e.subject = 'device'
     GROUP BY d.gateway_id HAVING bool_or(e.newcomer)
), gateways_new AS (
    SELECT a.asset_id AS gateway_id, max(e.event_id) AS event_id, max(e.at) + interval '1 hour' AS at
      FROM events e JOIN assets a ON a.asset_id = e.subject_id AND a.kind = 'gateway' AND NOT a.retired
     WHERE e.subject = 'gateway' AND e.newcomer
     GROUP BY a.asset_id
), wanted AS (
    SELECT gateway_id AS newcomer, gateway_id AS bundles_of, event_id, at FROM devices_new
     UNION ALL
    SELECT g.gateway_id, '', greatest(g.event_id, d.event_id), g.at
      FROM gateways_new g LEFT JOIN devices_new d USING (gateway_id)
     UNION ALL
    SELECT NULL, '', event_id, at + interval '1 hour' FROM events WHERE subject = 'pack' AND newcomer
)
SELECT letter_id, max(event_id), min(turn) AS turn
  FROM wanted w
 CROSS JOIN LATERAL (
       SELECT b.letter_id, row_number() OVER () AS turn
         FROM (SELECT letter_id FROM dead_letters
                WHERE state = 'open' AND opened_to < w.event_id AND gateway_id = w.bundles_of AND received_at < w.at
                ORDER BY opened_to, received_at, letter_id LIMIT %(limit)s) AS b) AS bundle
 WHERE %(gateways)s::text[] IS NULL OR w.newcomer = ANY(%(gateways)s)
 GROUP BY letter_id
 ORDER BY turn, letter_id
 LIMIT %(limit)s

-- name: devices
-- Devices of the gateways of these bundles, and when each became known for the last time.
SELECT d.gateway_id, d.device_id, max(e.at)
  FROM registry_events e
  JOIN devices d ON d.device_id = e.subject_id AND NOT d.retired
  JOIN (SELECT gateway_id, min(received_at) AS at FROM dead_letters
         WHERE letter_id = ANY(%(letter_ids)s) GROUP BY gateway_id) AS bundles
    ON bundles.gateway_id = d.gateway_id AND e.at > bundles.at
 WHERE e.subject = 'device' AND e.newcomer
 GROUP BY d.gateway_id, d.device_id

-- name: opened
-- Whatever came of it: for these newcomers nobody opens it again.
UPDATE dead_letters AS d SET opened_to = o.opened_to
  FROM unnest(%(letter_ids)s::text[], %(events)s::bigint[]) AS o (letter_id, opened_to)
 WHERE d.letter_id = o.letter_id AND d.opened_to < o.opened_to
