-- Devices and gateways that send and that nobody knows: what waits for a claim.

-- name: devices
-- Of the newest letters that wait for a device: who waits, through which gateway, how much, since when. Whoever is known by
-- now is not told: its letters are on their way.
SELECT name, gateway_id, count(*), min(received_at), max(received_at)
  FROM (SELECT letter_id, gateway_id, received_at, devices FROM dead_letters
         WHERE devices <> '{}' AND state = 'open'
         ORDER BY received_at DESC LIMIT %(looked_at)s) AS waiting,
       unnest(devices) AS name
 WHERE (%(part)s::text IS NULL OR strpos(lower(name), lower(%(part)s)) > 0)
   AND NOT EXISTS (SELECT FROM devices d WHERE coalesce(d.address, d.device_id) = name AND NOT d.retired)
 GROUP BY name, gateway_id
 ORDER BY 3 DESC, name, gateway_id
 LIMIT %(limit)s

-- name: gateways
SELECT gateway_id, count(*), min(received_at), max(received_at)
  FROM (SELECT gateway_id, received_at FROM dead_letters
         WHERE reason = 'unknown-gateway' AND state = 'open'
         ORDER BY received_at DESC LIMIT %(looked_at)s) AS waiting
 WHERE NOT EXISTS (SELECT FROM assets a WHERE a.asset_id = waiting.gateway_id AND a.kind = 'gateway' AND NOT a.retired)
 GROUP BY gateway_id
 ORDER BY 2 DESC, gateway_id
 LIMIT %(limit)s

-- name: letters_of_device
SELECT letter_id FROM dead_letters
 WHERE devices @> ARRAY[%(name)s::text] AND state = 'open' AND letter_id > %(after)s
 ORDER BY letter_id LIMIT %(limit)s

-- name: letters_of_gateways
SELECT letter_id FROM dead_letters
 WHERE reason IN ('unknown-gateway', 'retired-gateway') AND gateway_id = ANY(%(name)s::text[])
   AND state = 'open' AND letter_id > %(after)s
 ORDER BY letter_id LIMIT %(limit)s

-- name: samples
-- The newest letters of one device, with their bytes.
SELECT reason, detail, topic, payload, gateway_id, received_at, units, only_readings, retained
  FROM dead_letters
 WHERE devices @> ARRAY[%(name)s::text] AND gateway_id = %(gateway)s AND state = 'open'
 ORDER BY received_at DESC LIMIT %(limit)s

-- name: known_now
-- Of a slice of the open letters, the newest first: which of them wait for a device, a gateway or a node's birth that is known
-- by now, and where the slice ends.
WITH slice AS (
    SELECT letter_id, reason, topic, gateway_id, devices, received_at FROM dead_letters
     WHERE state = 'open'
       AND (%(after_at)s::timestamptz IS NULL OR (received_at, letter_id) < (%(after_at)s, %(after_id)s))
     ORDER BY received_at DESC, letter_id DESC LIMIT %(looked_at)s
), judged AS (
    SELECT s.letter_id, s.received_at,
           EXISTS (SELECT FROM unnest(s.devices) AS name
                     JOIN devices d ON coalesce(d.address, d.device_id) = name AND NOT d.retired)
           OR s.reason IN ('unknown-gateway', 'retired-gateway')
              AND EXISTS (SELECT FROM assets a
                           WHERE a.asset_id = s.gateway_id AND a.kind = 'gateway' AND NOT a.retired)
           OR s.reason = 'no-birth'
              AND EXISTS (SELECT FROM sparkplug_births b
                           WHERE b.group_id = split_part(s.topic, '/', 2) AND b.edge_id = split_part(s.topic, '/', 4)
                             AND b.device_id = split_part(s.topic, '/', 5) AND b.last_at >= s.received_at) AS known
      FROM slice s
)
SELECT coalesce(array_agg(letter_id ORDER BY letter_id) FILTER (WHERE known), '{}'), count(*),
       (array_agg(received_at ORDER BY received_at, letter_id))[1], (array_agg(letter_id ORDER BY received_at, letter_id))[1]
  FROM judged
