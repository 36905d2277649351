-- Devices and gateways that send and that nobody knows: what waits for a claim.

-- name: devices
-- Of the newest letters that wait for a device: who waits, through which gateway, how much, since when.
SELECT name, gateway_id, count(*), min(received_at), max(received_at)
  FROM (SELECT letter_id, gateway_id, received_at, devices FROM dead_letters
         WHERE devices <> '{}' AND state = 'open'
         ORDER BY received_at DESC LIMIT %(looked_at)s) AS waiting,
       unnest(devices) AS name
 WHERE %(part)s::text IS NULL OR strpos(lower(name), lower(%(part)s)) > 0
 GROUP BY name, gateway_id
 ORDER BY 3 DESC, name, gateway_id
 LIMIT %(limit)s

-- name: gateways
SELECT gateway_id, count(*), min(received_at), max(received_at)
  FROM (SELECT gateway_id, received_at FROM dead_letters
         WHERE reason = 'unknown-gateway' AND state = 'open'
         ORDER BY received_at DESC LIMIT %(looked_at)s) AS waiting
 GROUP BY gateway_id
 ORDER BY 2 DESC, gateway_id
 LIMIT %(limit)s

-- name: letters_of_device
SELECT letter_id FROM dead_letters
 WHERE devices @> ARRAY[%(name)s::text] AND state = 'open' AND letter_id > %(after)s
 ORDER BY letter_id LIMIT %(limit)s

-- name: letters_of_gateway
-- While unknown gateways flood, what they send is bundled together under no name: it may be among that.
SELECT letter_id FROM dead_letters
 WHERE (reason IN ('unknown-gateway', 'retired-gateway') AND gateway_id = %(name)s
        OR gateway_id = '' AND reason IN ('isolated', 'unknown-gateway'))
   AND state = 'open' AND letter_id > %(after)s
 ORDER BY letter_id LIMIT %(limit)s

-- name: samples
-- The newest letters of one device, with their bytes.
SELECT reason, detail, topic, payload, gateway_id, received_at, units, only_readings, retained
  FROM dead_letters
 WHERE devices @> ARRAY[%(name)s::text] AND gateway_id = %(gateway)s AND state = 'open'
 ORDER BY received_at DESC LIMIT %(limit)s
