-- What operators write into the registry: in force at once, kept over imports, each change an event.

-- name: lock
-- One import, change or publication at a time, over all processes; released with the transaction.
SELECT pg_advisory_xact_lock(7201001)

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

-- name: settle_intervals
UPDATE devices d
   SET report_interval_s = (p.body ->> 'report_interval_s')::integer,
       silence_intervals = (p.body ->> 'silence_intervals')::double precision
  FROM profiles p
 WHERE p.profile_id = d.profile_id AND d.device_id = ANY(%(devices)s)

-- name: settle_series
-- A series keeps its id for ever; new ones are numbered in the order of their names.
INSERT INTO series (device_id, metric)
SELECT d.device_id, m.metric
  FROM devices d
  JOIN profiles p USING (profile_id)
 CROSS JOIN LATERAL jsonb_array_elements_text(p.body -> 'metrics') AS m (metric)
 WHERE d.device_id = ANY(%(devices)s)
   AND NOT EXISTS (SELECT FROM series o WHERE o.device_id = d.device_id AND o.metric = m.metric)
 ORDER BY d.device_id, m.metric

-- name: settle_retired_series
UPDATE series s SET retired = NOT s.retired
  FROM devices d JOIN profiles p USING (profile_id)
 WHERE d.device_id = s.device_id AND d.device_id = ANY(%(devices)s) AND s.retired = (p.body -> 'metrics' ? s.metric)

-- name: devices_for_change
SELECT d.device_id, a.root_id, d.retired, d.origin
  FROM devices d JOIN assets a USING (asset_id) WHERE d.device_id = ANY(%(devices)s) ORDER BY d.device_id FOR UPDATE OF d

-- name: retire_devices
UPDATE devices SET retired = true, origin = 'operator' WHERE device_id = ANY(%(devices)s)

-- name: release_devices
UPDATE devices SET origin = 'pack' WHERE device_id = ANY(%(devices)s)

-- name: gateways_as_they_are
SELECT asset_id, kind, name, lat, lon, district_id, retired FROM assets WHERE asset_id = ANY(%(gateways)s)

-- name: known_districts
SELECT district_id FROM districts

-- name: put_gateway
INSERT INTO assets AS a (asset_id, kind, name, parent_id, root_id, correlation_group, gateway_id, district_id, lat, lon,
                         origin)
VALUES (%(gateway)s, 'gateway', %(name)s, NULL, %(gateway)s, %(gateway)s, %(gateway)s, %(district)s, %(lat)s, %(lon)s,
        'operator')
ON CONFLICT (asset_id) DO UPDATE
   SET name = EXCLUDED.name, district_id = EXCLUDED.district_id, lat = EXCLUDED.lat, lon = EXCLUDED.lon,
       origin = 'operator', retired = false

-- name: number_gateway
INSERT INTO gateways (gateway_id) VALUES (%(gateway)s) ON CONFLICT DO NOTHING

-- name: metrics
SELECT metric, unit, low, high FROM metrics ORDER BY metric

-- name: profiles
SELECT profile_id, body, retired, origin FROM profiles ORDER BY profile_id

-- name: put_profile
INSERT INTO profiles (profile_id, body, origin) VALUES (%(profile)s, %(body)s, 'operator')
ON CONFLICT (profile_id) DO UPDATE SET body = EXCLUDED.body, origin = 'operator', retired = false

-- name: devices_of_profiles
SELECT d.device_id, a.root_id FROM devices d JOIN assets a USING (asset_id)
 WHERE d.profile_id = ANY(%(profiles)s) AND NOT d.retired

-- name: next_version
UPDATE installation SET registry_version = registry_version + 1 RETURNING registry_version

-- name: note
INSERT INTO registry_events (at, actor, kind, subject, subject_id, detail, registry_version)
VALUES (%(at)s, %(actor)s, %(kind)s, %(subject)s, %(subject_id)s, %(detail)s, %(version)s)
