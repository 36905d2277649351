-- What operators write into the registry: in force at once, kept over imports, each change an event.

-- name: stage_devices
DROP TABLE IF EXISTS wanted_devices;
CREATE TEMP TABLE wanted_devices (
    line integer, device_id text, asset_id text, gateway_id text, profile_id text, address text, shard integer
) ON COMMIT DROP

-- name: copy_devices
COPY wanted_devices FROM STDIN

-- name: roots_of_assets
SELECT asset_id, root_id FROM assets WHERE asset_id = ANY(%(assets)s)

-- name: device_problems
-- Line, which reference, what it says, and who has it.
SELECT line, 'asset', w.asset_id, '' FROM wanted_devices w
 WHERE NOT EXISTS (SELECT FROM assets a WHERE a.asset_id = w.asset_id AND NOT a.retired AND a.kind <> 'gateway')
UNION ALL
SELECT line, 'gateway', w.gateway_id, '' FROM wanted_devices w
 WHERE NOT EXISTS (SELECT FROM gateways g JOIN assets a ON a.asset_id = g.gateway_id
                    WHERE g.gateway_id = w.gateway_id AND NOT a.retired)
UNION ALL
SELECT line, 'profile', w.profile_id, '' FROM wanted_devices w
 WHERE NOT EXISTS (SELECT FROM profiles p WHERE p.profile_id = w.profile_id AND NOT p.retired)
UNION ALL
SELECT w.line, 'address', coalesce(w.address, w.device_id), d.device_id
  FROM wanted_devices w
  JOIN devices d ON coalesce(d.address, d.device_id) = coalesce(w.address, w.device_id)
 WHERE d.device_id <> w.device_id AND NOT d.retired
   AND NOT EXISTS (SELECT FROM wanted_devices o WHERE o.device_id = d.device_id)
UNION ALL
SELECT max(line), 'address', coalesce(address, device_id), min(device_id) FROM wanted_devices
 GROUP BY 3 HAVING count(*) > 1
 ORDER BY 1, 2
 LIMIT 1000

-- name: crowded_roots
-- Cabinets and facilities that would have more devices than one record of the log takes.
SELECT a.root_id, count(*)
  FROM (SELECT device_id, asset_id FROM wanted_devices
        UNION ALL
        SELECT device_id, asset_id FROM devices d
         WHERE NOT d.retired AND NOT EXISTS (SELECT FROM wanted_devices w WHERE w.device_id = d.device_id)) AS later
  JOIN assets a USING (asset_id)
 WHERE a.root_id IN (SELECT root_id FROM wanted_devices JOIN assets USING (asset_id))
 GROUP BY a.root_id HAVING count(*) > %(most)s
 ORDER BY a.root_id

-- name: devices_as_they_are
-- The staged devices that exist, and whether anything of them would change.
SELECT d.device_id, a.root_id, d.asset_id, d.gateway_id, d.profile_id, d.address, d.retired,
       (d.asset_id, d.gateway_id, d.profile_id, d.address, d.retired)
       IS NOT DISTINCT FROM (w.asset_id, w.gateway_id, w.profile_id, w.address, false)
  FROM wanted_devices w JOIN devices d USING (device_id) JOIN assets a ON a.asset_id = d.asset_id

-- name: free_addresses
-- Names on the wire may be exchanged within one list: nobody holds one while they change hands.
UPDATE devices d SET address = '␀' || d.device_id FROM wanted_devices w WHERE w.device_id = d.device_id

-- name: put_devices
INSERT INTO devices AS d (device_id, asset_id, gateway_id, profile_id, shard, report_interval_s, silence_intervals,
                          address, origin)
SELECT w.device_id, w.asset_id, w.gateway_id, w.profile_id, w.shard, (p.body ->> 'report_interval_s')::integer,
       (p.body ->> 'silence_intervals')::double precision, w.address, 'operator'
  FROM wanted_devices w JOIN profiles p USING (profile_id)
ON CONFLICT (device_id) DO UPDATE
   SET asset_id = EXCLUDED.asset_id, gateway_id = EXCLUDED.gateway_id, profile_id = EXCLUDED.profile_id,
       shard = EXCLUDED.shard, report_interval_s = EXCLUDED.report_interval_s,
       silence_intervals = EXCLUDED.silence_intervals, address = EXCLUDED.address, origin = 'operator', retired = false

-- name: devices_held
SELECT device_id, retired, origin FROM devices WHERE device_id = ANY(%(names)s) ORDER BY device_id FOR UPDATE

-- name: set_devices
UPDATE devices SET retired = coalesce(%(retired)s, retired), origin = %(origin)s WHERE device_id = ANY(%(names)s)

-- name: roots_of_devices
SELECT DISTINCT a.root_id FROM devices d JOIN assets a USING (asset_id) WHERE d.device_id = ANY(%(names)s)
