-- What operators see of the registry: devices, gateways, profiles, and who changed what.

-- name: devices
SELECT d.device_id AS device, coalesce(d.address, d.device_id) AS address, d.asset_id AS asset, a.kind AS asset_kind,
       d.gateway_id AS gateway, d.profile_id AS profile, d.report_interval_s, d.origin, d.retired
  FROM devices d JOIN assets a USING (asset_id)
 WHERE d.retired = %(retired)s
   AND (%(gateway)s::text IS NULL OR d.gateway_id = %(gateway)s)
   AND (%(profile)s::text IS NULL OR d.profile_id = %(profile)s)
   AND (%(origin)s::text IS NULL OR d.origin = %(origin)s)
   AND (%(text)s::text IS NULL OR strpos(lower(d.device_id), lower(%(text)s)) > 0
        OR strpos(lower(d.address), lower(%(text)s)) > 0 OR strpos(lower(d.asset_id), lower(%(text)s)) > 0)
   AND (%(after)s::text IS NULL OR d.device_id > %(after)s)
 ORDER BY d.device_id
 LIMIT %(limit)s

-- name: device
SELECT d.device_id AS device, coalesce(d.address, d.device_id) AS address, d.asset_id AS asset, a.kind AS asset_kind,
       d.gateway_id AS gateway, d.profile_id AS profile, d.report_interval_s, d.origin, d.retired
  FROM devices d JOIN assets a USING (asset_id) WHERE d.device_id = %(device)s

-- name: series
SELECT s.series_id AS series, s.metric, m.unit, s.retired
  FROM series s JOIN metrics m USING (metric) WHERE s.device_id = %(device)s ORDER BY s.metric

-- name: gateways
SELECT g.gateway_id AS gateway, a.name, a.lat, a.lon, a.district_id AS district, a.attributes ->> 'operator' AS network_operator,
       g.state, a.origin, a.retired,
       (SELECT count(*) FROM devices d WHERE d.gateway_id = g.gateway_id AND NOT d.retired) AS devices
  FROM gateways g JOIN assets a ON a.asset_id = g.gateway_id
 WHERE (%(after)s::text IS NULL OR g.gateway_id > %(after)s)
   AND (%(text)s::text IS NULL OR strpos(lower(g.gateway_id), lower(%(text)s)) > 0
        OR strpos(lower(a.name), lower(%(text)s)) > 0)
 ORDER BY g.gateway_id
 LIMIT %(limit)s

-- name: gateway
SELECT g.gateway_id AS gateway, a.name, a.lat, a.lon, a.district_id AS district, a.attributes ->> 'operator' AS network_operator,
       g.state, a.origin, a.retired,
       (SELECT count(*) FROM devices d WHERE d.gateway_id = g.gateway_id AND NOT d.retired) AS devices,
       (SELECT count(*) FROM credentials c WHERE c.gateway_id = g.gateway_id AND c.revoked_at IS NULL
           AND (c.expires_at IS NULL OR c.expires_at > now())) AS credentials
  FROM gateways g JOIN assets a ON a.asset_id = g.gateway_id WHERE g.gateway_id = %(gateway)s

-- name: profiles
SELECT p.profile_id AS profile, p.body, p.origin, p.retired,
       (SELECT count(*) FROM devices d WHERE d.profile_id = p.profile_id AND NOT d.retired) AS devices
  FROM profiles p ORDER BY p.retired, p.profile_id

-- name: events
SELECT event_id, at, actor, kind, subject, subject_id, detail, registry_version FROM registry_events
 WHERE (%(subject)s::text IS NULL OR subject = %(subject)s)
   AND (%(subject_id)s::text IS NULL OR subject_id = %(subject_id)s)
   AND (%(after)s::bigint IS NULL OR event_id < %(after)s)
 ORDER BY event_id DESC
 LIMIT %(limit)s

-- name: assets_like
-- Assets that a device may measure, for who types the beginning of an id.
SELECT asset_id FROM assets WHERE NOT retired AND kind <> 'gateway' AND asset_id LIKE %(start)s ORDER BY asset_id LIMIT 20
