-- name: keep
-- Store a birth. One that says the same as the last one of its node and device was told again.
WITH latest AS (
    SELECT first_at, told FROM sparkplug_births
     WHERE (group_id, edge_id, device_id) = (%(group_id)s, %(edge_id)s, %(device_id)s)
     ORDER BY first_at DESC LIMIT 1
), again AS (
    UPDATE sparkplug_births AS b SET last_at = GREATEST(b.last_at, %(at)s)
      FROM latest AS l
     WHERE (b.group_id, b.edge_id, b.device_id, b.first_at) = (%(group_id)s, %(edge_id)s, %(device_id)s, l.first_at)
       AND l.told = %(told)s
    RETURNING b.first_at
)
INSERT INTO sparkplug_births (group_id, edge_id, device_id, first_at, last_at, told)
SELECT %(group_id)s, %(edge_id)s, %(device_id)s, %(at)s, %(at)s, %(told)s WHERE NOT EXISTS (SELECT FROM again)
ON CONFLICT DO NOTHING

-- name: forget
-- Keep the latest births of a node or device.
DELETE FROM sparkplug_births
 WHERE (group_id, edge_id, device_id) = (%(group_id)s, %(edge_id)s, %(device_id)s)
   AND first_at < (SELECT min(first_at) FROM (
           SELECT first_at FROM sparkplug_births
            WHERE (group_id, edge_id, device_id) = (%(group_id)s, %(edge_id)s, %(device_id)s)
            ORDER BY first_at DESC LIMIT %(kept)s) AS latest)

-- name: topics
-- Topics of letters from Sparkplug's nodes, and bundles, in which there may be some.
SELECT topic, CASE WHEN topic LIKE %(bundles)s THEN payload END FROM dead_letters
 WHERE letter_id = ANY(%(letter_ids)s) AND (topic LIKE 'spBv1.0/%%' OR topic LIKE %(bundles)s)

-- name: of_nodes
-- Births of nodes, and of the devices behind them.
SELECT group_id, edge_id, device_id, first_at, last_at, told FROM sparkplug_births
 WHERE (group_id, edge_id) IN (SELECT * FROM unnest(%(groups)s::text[], %(edges)s::text[]))
