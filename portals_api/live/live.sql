-- What the live board reads. Nothing here changes anything.

-- name: pulse
-- Whether the inventory is still the one that is held.
SELECT registry_version FROM installation

-- name: lamps
SELECT a.asset_id, a.lat, a.lon, coalesce(a.attributes ->> 'street', ''), coalesce(a.district_id, ''),
       coalesce(a.parent_id, ''), a.root_id, coalesce(a.gateway_id, ''), (a.attributes ->> 'rated_w')::double precision
  FROM assets a
 WHERE a.kind = 'lamp' AND NOT a.retired

-- name: places
-- Everything else that stands somewhere: few beside the lamps. A feeder begins at its cabinet.
SELECT a.asset_id AS id, a.kind, a.name, coalesce(a.lat, above.lat) AS lat, coalesce(a.lon, above.lon) AS lon,
       coalesce(a.district_id, above.district_id, '') AS district, coalesce(a.attributes ->> 'kind', '') AS what
  FROM assets a LEFT JOIN assets above ON a.kind = 'feeder' AND above.asset_id = a.parent_id
 WHERE a.kind IN ('facility', 'cabinet', 'gateway', 'feeder') AND NOT a.retired
 ORDER BY a.kind, a.asset_id

-- name: districts
SELECT district_id AS id, name, boundary FROM districts ORDER BY district_id

-- name: power_series
-- The series that tells whether a lamp burns.
SELECT s.series_id, d.asset_id
  FROM series s JOIN devices d USING (device_id) JOIN assets a USING (asset_id)
 WHERE s.metric = %(metric)s AND a.kind = 'lamp' AND NOT s.retired AND NOT d.retired AND NOT a.retired
 ORDER BY s.series_id

-- name: stored_until
-- Up to where the store has written what stands on the log.
SELECT partition, next_offset FROM checkpoints
 WHERE worker_group = 'store' AND topic = 'readings' AND log_identity = %(log_identity)s AND next_offset >= 0

-- name: last_values
-- The last value of each series since a moment, one look into the index a series.
SELECT wanted.id, (extract(epoch FROM newest.observed_at) * 1000000)::bigint, newest.value
  FROM unnest(%(series)s::integer[]) AS wanted (id)
 CROSS JOIN LATERAL (
       SELECT observed_at, value FROM readings
        WHERE series_id = wanted.id AND observed_at >= %(since)s
        ORDER BY observed_at DESC LIMIT 1) newest

-- name: open_tickets
-- Every ticket that is not at its end, the newest first; a city with more has other worries than its map.
SELECT t.ticket_id AS id, t.state, t.category, t.fault, t.incident_key, t.scope_kind, t.scope_id, t.severity,
       coalesce(t.district_id, '') AS district, coalesce(t.lat, a.lat) AS lat, coalesce(t.lon, a.lon) AS lon, t.opened_at
  FROM tickets t LEFT JOIN assets a ON a.asset_id = t.scope_id
 WHERE t.state IN ('new', 'assigned', 'in_progress', 'recovered', 'resolved')
 ORDER BY t.ticket_id DESC LIMIT 5000

-- name: gateway_states
SELECT gateway_id, state FROM gateways

-- name: facility_alarms
-- Facilities of which an alarm stands.
SELECT DISTINCT m.scope_id FROM alarms m WHERE m.scope_kind = 'facility' AND m.cleared_at IS NULL
