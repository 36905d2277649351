-- name: stage
-- Empty copies of the registry's tables, for this transaction only.
DROP TABLE IF EXISTS staged_districts, staged_assets, staged_devices, staged_metrics, staged_series, staged_profiles,
    touched;
CREATE TEMP TABLE staged_districts (district_id text, name text, boundary jsonb) ON COMMIT DROP;
CREATE TEMP TABLE staged_assets (
    asset_id text, kind text, name text, parent_id text, root_id text, correlation_group text, gateway_id text,
    district_id text, lat double precision, lon double precision, attributes jsonb
) ON COMMIT DROP;
CREATE TEMP TABLE staged_devices (
    device_id text, asset_id text, gateway_id text, profile_id text, shard integer, report_interval_s integer,
    silence_intervals double precision, address text
) ON COMMIT DROP;
CREATE TEMP TABLE staged_metrics (metric text, unit text, low double precision, high double precision) ON COMMIT DROP;
CREATE TEMP TABLE staged_series (device_id text, metric text) ON COMMIT DROP;
CREATE TEMP TABLE staged_profiles (profile_id text, body jsonb) ON COMMIT DROP;
CREATE TEMP TABLE touched (kind text, subject text, subject_id text, detail jsonb) ON COMMIT DROP

-- name: copy_districts
COPY staged_districts FROM STDIN

-- name: copy_assets
COPY staged_assets FROM STDIN

-- name: copy_devices
COPY staged_devices FROM STDIN

-- name: copy_metrics
COPY staged_metrics FROM STDIN

-- name: copy_profiles
COPY staged_profiles FROM STDIN

-- name: copy_series
COPY staged_series FROM STDIN

-- name: analyze
-- Temporary tables have no statistics until asked; without them 30,000 lamps are joined by nested loops.
ANALYZE staged_assets, staged_devices, staged_series

-- name: another_city
-- True where the database knows devices and the pack names none of them.
SELECT EXISTS (SELECT FROM devices) AND NOT EXISTS (SELECT FROM devices JOIN staged_devices USING (device_id))
       AND EXISTS (SELECT FROM staged_devices)

-- name: any_device
SELECT EXISTS (SELECT FROM devices)

-- name: merge_districts
INSERT INTO districts AS d (district_id, name, boundary)
SELECT district_id, name, boundary FROM staged_districts
ON CONFLICT (district_id) DO UPDATE SET name = EXCLUDED.name, boundary = EXCLUDED.boundary
 WHERE (d.name, d.boundary) IS DISTINCT FROM (EXCLUDED.name, EXCLUDED.boundary)

-- name: merge_profiles
WITH merged AS (
    INSERT INTO profiles AS p (profile_id, body)
    SELECT profile_id, body FROM staged_profiles
    ON CONFLICT (profile_id) DO UPDATE SET body = EXCLUDED.body, retired = false
     WHERE p.origin = 'pack' AND (p.body, p.retired) IS DISTINCT FROM (EXCLUDED.body, false)
    RETURNING profile_id, xmax = 0 AS added
)
INSERT INTO touched SELECT CASE WHEN added THEN 'added' ELSE 'changed' END, 'profile', profile_id, '{}' FROM merged

-- name: retire_profiles
WITH gone AS (
    UPDATE profiles p SET retired = true
     WHERE p.origin = 'pack' AND NOT p.retired
       AND NOT EXISTS (SELECT FROM staged_profiles s WHERE s.profile_id = p.profile_id)
       AND NOT EXISTS (SELECT FROM devices d
                        WHERE d.profile_id = p.profile_id AND d.origin = 'operator' AND NOT d.retired)
    RETURNING profile_id
)
INSERT INTO touched SELECT 'retired', 'profile', profile_id, '{}' FROM gone

-- name: merge_assets
WITH before AS (
    SELECT asset_id, retired FROM assets WHERE kind = 'gateway'
), merged AS (
INSERT INTO assets AS a (asset_id, kind, name, parent_id, root_id, correlation_group, gateway_id, district_id, lat, lon,
                         attributes)
SELECT asset_id, kind, name, parent_id, root_id, correlation_group, gateway_id, district_id, lat, lon, attributes
  FROM staged_assets
ON CONFLICT (asset_id) DO UPDATE
   SET kind = EXCLUDED.kind, name = EXCLUDED.name, parent_id = EXCLUDED.parent_id, root_id = EXCLUDED.root_id,
       correlation_group = EXCLUDED.correlation_group, gateway_id = EXCLUDED.gateway_id,
       district_id = EXCLUDED.district_id, lat = EXCLUDED.lat, lon = EXCLUDED.lon, attributes = EXCLUDED.attributes,
       retired = false
 WHERE a.origin = 'pack'
   AND (a.kind, a.name, a.parent_id, a.root_id, a.correlation_group, a.gateway_id, a.district_id, a.lat, a.lon,
        a.attributes, a.retired)
       IS DISTINCT FROM
       (EXCLUDED.kind, EXCLUDED.name, EXCLUDED.parent_id, EXCLUDED.root_id, EXCLUDED.correlation_group,
        EXCLUDED.gateway_id, EXCLUDED.district_id, EXCLUDED.lat, EXCLUDED.lon, EXCLUDED.attributes, false)
RETURNING asset_id, kind, xmax = 0 AS added
)
INSERT INTO touched
SELECT CASE WHEN added THEN 'added' WHEN b.retired THEN 'restored' ELSE 'changed' END,
       CASE kind WHEN 'gateway' THEN 'gateway' END, asset_id, '{}'
  FROM merged LEFT JOIN before b USING (asset_id)

-- name: retire_assets
-- What the pack no longer names is kept for its history.
WITH gone AS (
    UPDATE assets a SET retired = true
     WHERE NOT a.retired AND a.origin = 'pack'
       AND NOT EXISTS (SELECT FROM staged_assets s WHERE s.asset_id = a.asset_id)
    RETURNING asset_id, kind
)
INSERT INTO touched SELECT 'retired', CASE kind WHEN 'gateway' THEN 'gateway' END, asset_id, '{}' FROM gone

-- name: merge_gateways
INSERT INTO gateways (gateway_id)
SELECT asset_id FROM staged_assets s
 WHERE kind = 'gateway' AND NOT EXISTS (SELECT FROM gateways g WHERE g.gateway_id = s.asset_id)
 ORDER BY asset_id

-- name: merge_shards
-- Contiguous ranges of shards for whatever has no partition yet; shards that have one keep it.
INSERT INTO shards (shard, partition)
SELECT shard, shard * %(partitions)s / %(shards)s FROM generate_series(0, %(shards)s - 1) AS shard
ON CONFLICT (shard) DO NOTHING

-- name: last_partition
SELECT max(partition) FROM shards

-- name: merge_metrics
INSERT INTO metrics AS m (metric, unit, low, high)
SELECT metric, unit, low, high FROM staged_metrics
ON CONFLICT (metric) DO UPDATE SET unit = EXCLUDED.unit, low = EXCLUDED.low, high = EXCLUDED.high
 WHERE (m.unit, m.low, m.high) IS DISTINCT FROM (EXCLUDED.unit, EXCLUDED.low, EXCLUDED.high)

-- name: free_addresses
-- A name on the wire that goes from one device to another is free before the other takes it: no name begins with a NUL's
-- picture, and whoever stays is given its own again below.
UPDATE devices d SET address = '␀' || device_id
 WHERE NOT retired AND origin = 'pack' AND EXISTS (
       SELECT FROM staged_devices s
        WHERE coalesce(s.address, s.device_id) = coalesce(d.address, d.device_id) AND s.device_id <> d.device_id)

-- name: addresses_taken
-- Names on the wire that the pack gives to one device and an operator has given to another.
SELECT coalesce(s.address, s.device_id), d.device_id
  FROM staged_devices s
  JOIN devices d ON coalesce(d.address, d.device_id) = coalesce(s.address, s.device_id) AND d.device_id <> s.device_id
 WHERE d.origin = 'operator' AND NOT d.retired
   AND NOT EXISTS (SELECT FROM devices o WHERE o.device_id = s.device_id AND o.origin = 'operator')
 ORDER BY 1

-- name: merge_devices
-- A name that another device took (`free_addresses`) is told no more.
WITH before AS (
    SELECT device_id, retired, jsonb_build_object('asset', asset_id, 'gateway', gateway_id, 'profile', profile_id,
           'address', CASE WHEN starts_with(address, '␀') THEN '' ELSE address END, 'retired', retired) AS was
      FROM devices
), merged AS (
INSERT INTO devices AS d (device_id, asset_id, gateway_id, profile_id, shard, report_interval_s, silence_intervals,
                          address)
SELECT device_id, asset_id, gateway_id, profile_id, shard, report_interval_s, silence_intervals, address
  FROM staged_devices
ON CONFLICT (device_id) DO UPDATE
   SET asset_id = EXCLUDED.asset_id, gateway_id = EXCLUDED.gateway_id, profile_id = EXCLUDED.profile_id,
       shard = EXCLUDED.shard, report_interval_s = EXCLUDED.report_interval_s,
       silence_intervals = EXCLUDED.silence_intervals, address = EXCLUDED.address, retired = false
 WHERE d.origin = 'pack'
   AND (d.asset_id, d.gateway_id, d.profile_id, d.shard, d.report_interval_s, d.silence_intervals, d.address, d.retired)
       IS DISTINCT FROM
       (EXCLUDED.asset_id, EXCLUDED.gateway_id, EXCLUDED.profile_id, EXCLUDED.shard, EXCLUDED.report_interval_s,
        EXCLUDED.silence_intervals, EXCLUDED.address, false)
RETURNING device_id, asset_id, gateway_id, profile_id, address, xmax = 0 AS added
)
INSERT INTO touched
SELECT CASE WHEN added THEN 'added' WHEN b.retired THEN 'restored' ELSE 'changed' END, 'device', device_id,
       jsonb_build_object('asset', asset_id, 'gateway', gateway_id, 'profile', profile_id, 'address', address)
       || CASE WHEN added THEN '{}' ELSE jsonb_build_object('was', b.was) END
  FROM merged LEFT JOIN before b USING (device_id)

-- name: retire_devices
WITH gone AS (
    UPDATE devices d SET retired = true
     WHERE NOT d.retired AND d.origin = 'pack'
       AND NOT EXISTS (SELECT FROM staged_devices s WHERE s.device_id = d.device_id)
    RETURNING device_id
)
INSERT INTO touched SELECT 'retired', 'device', device_id, '{}' FROM gone

-- name: stage_operators
-- What an operator wrote follows its profile, whatever the pack says of the device.
DELETE FROM staged_series s USING devices d WHERE d.device_id = s.device_id AND d.origin = 'operator';
INSERT INTO staged_series
SELECT d.device_id, jsonb_array_elements_text(p.body -> 'metrics')
  FROM devices d JOIN profiles p USING (profile_id) WHERE d.origin = 'operator' AND NOT d.retired;
UPDATE devices d
   SET report_interval_s = (p.body ->> 'report_interval_s')::integer,
       silence_intervals = (p.body ->> 'silence_intervals')::double precision
  FROM profiles p
 WHERE p.profile_id = d.profile_id AND d.origin = 'operator'
   AND (d.report_interval_s, d.silence_intervals) IS DISTINCT FROM
       ((p.body ->> 'report_interval_s')::integer, (p.body ->> 'silence_intervals')::double precision)

-- name: merge_series
-- A series keeps its id for ever; new ones are numbered in the order of their names.
INSERT INTO series (device_id, metric)
SELECT device_id, metric FROM staged_series s
 WHERE NOT EXISTS (SELECT FROM series o WHERE o.device_id = s.device_id AND o.metric = s.metric)
 ORDER BY device_id, metric

-- name: retire_series
UPDATE series o SET retired = NOT o.retired
  FROM (SELECT series_id, s.device_id IS NOT NULL AS wanted
          FROM series LEFT JOIN staged_series s USING (device_id, metric)) AS known
 WHERE known.series_id = o.series_id AND o.retired = known.wanted

-- name: settle
-- The pack's own settings, and the next version of the registry where anything changed.
INSERT INTO installation AS i (city, timezone, simulated, pack_version, pack, registry_version)
VALUES (%(city)s, %(timezone)s, %(simulated)s, %(pack_version)s, %(pack)s, 1)
ON CONFLICT (only_one) DO UPDATE
   SET city = EXCLUDED.city, timezone = EXCLUDED.timezone, simulated = EXCLUDED.simulated,
       pack_version = EXCLUDED.pack_version, pack = EXCLUDED.pack,
       registry_version = i.registry_version + CASE
           WHEN %(changed)s OR (i.city, i.timezone, i.simulated, i.pack_version, i.pack) IS DISTINCT FROM
                (EXCLUDED.city, EXCLUDED.timezone, EXCLUDED.simulated, EXCLUDED.pack_version, EXCLUDED.pack)
           THEN 1 ELSE 0 END
RETURNING registry_version

-- name: note_import
-- The first import is one event; later ones tell of each device, gateway and profile that they touched.
INSERT INTO registry_events (at, actor, kind, subject, subject_id, detail, registry_version)
SELECT %(at)s, 'pack', 'imported', 'pack', %(pack_version)s, %(rows)s, %(version)s
 UNION ALL
SELECT %(at)s, 'pack', kind, subject, subject_id, detail, %(version)s
  FROM touched WHERE %(each)s AND subject IS NOT NULL

-- name: version
SELECT registry_version, published_version, published_at_us, log_identity, pack_version, pack FROM installation

-- name: profiles
SELECT profile_id, body FROM profiles WHERE NOT retired

-- name: ingest_gateways
SELECT g.gateway_id, g.number FROM gateways g JOIN assets a ON a.asset_id = g.gateway_id WHERE NOT a.retired

-- name: retired_gateways
SELECT g.gateway_id FROM gateways g JOIN assets a ON a.asset_id = g.gateway_id WHERE a.retired

-- name: ingest_series
-- Every metric that may come, with its partition and its limits.
SELECT coalesce(d.address, d.device_id), d.device_id, d.gateway_id, d.profile_id, s.metric, s.series_id, h.partition, m.low, m.high, m.unit
  FROM series s
  JOIN devices d USING (device_id)
  JOIN shards h USING (shard)
  JOIN metrics m USING (metric)
 WHERE NOT s.retired AND NOT d.retired
 ORDER BY d.device_id, s.metric

-- name: roots
-- Retired roots too: they are published without devices, so that detection lets go of them.
SELECT asset_id, kind, correlation_group, attributes -> 'opening', (SELECT timezone FROM installation) FROM assets
 WHERE kind IN ('cabinet', 'facility') AND (%(roots)s::text[] IS NULL OR asset_id = ANY(%(roots)s))
 ORDER BY asset_id

-- name: root_feeders
SELECT root_id, asset_id, correlation_group, coalesce(gateway_id, ''), attributes ->> 'switching',
       attributes ->> 'schedule_id'
  FROM assets
 WHERE kind = 'feeder' AND NOT retired AND (%(roots)s::text[] IS NULL OR root_id = ANY(%(roots)s))
 ORDER BY root_id, asset_id

-- name: root_devices
SELECT a.root_id, d.device_id, a.kind, a.asset_id, a.correlation_group,
       CASE a.kind WHEN 'lamp' THEN a.parent_id WHEN 'feeder' THEN a.asset_id ELSE '' END, d.gateway_id,
       d.report_interval_s, d.silence_intervals, coalesce((a.attributes ->> 'rated_w')::double precision, 0),
       coalesce(a.attributes ->> 'phase', ''), coalesce(a.attributes ->> 'lamp_type', ''),
       CASE a.kind WHEN 'lamp' THEN a.lat END, CASE a.kind WHEN 'lamp' THEN a.lon END,
       array_agg(s.series_id ORDER BY s.metric), array_agg(s.metric ORDER BY s.metric)
  FROM devices d
  JOIN assets a USING (asset_id)
  JOIN series s USING (device_id)
 WHERE NOT d.retired AND NOT s.retired AND (%(roots)s::text[] IS NULL OR a.root_id = ANY(%(roots)s))
       -- Nobody waits for a device whose gateway was taken out.
   AND NOT EXISTS (SELECT FROM assets g WHERE g.asset_id = d.gateway_id AND g.retired)
 GROUP BY d.device_id, a.asset_id
 ORDER BY a.root_id, d.device_id

-- name: root_gateways
-- Those that speak for what is below a root.
SELECT DISTINCT a.root_id, g.asset_id, coalesce(g.attributes ->> 'operator', ''), coalesce(g.district_id, ''),
       g.correlation_group
  FROM devices d JOIN assets a USING (asset_id) JOIN assets g ON g.asset_id = d.gateway_id
 WHERE NOT d.retired AND NOT g.retired AND (%(roots)s::text[] IS NULL OR a.root_id = ANY(%(roots)s))
 ORDER BY a.root_id, g.asset_id
