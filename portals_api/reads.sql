-- What the portals read. Nothing here changes anything.

-- name: installation
SELECT city, timezone, simulated, pack -> 'languages' AS languages FROM installation

-- name: figures
-- The city now, in a few numbers.
SELECT (SELECT count(*) FROM assets WHERE kind = 'lamp' AND NOT retired) AS lamps,
       (SELECT count(*) FROM assets WHERE kind = 'facility' AND NOT retired) AS facilities,
       (SELECT count(*) FROM tickets WHERE state IN ('new', 'assigned', 'in_progress') AND scope_kind <> ALL(%(hidden)s))
           AS unsolved,
       (SELECT count(*) FROM tickets WHERE state IN ('recovered', 'resolved') AND scope_kind <> ALL(%(hidden)s))
           AS nearly_done,
       (SELECT count(*) FROM gateways WHERE state = 'online') AS gateways_online,
       (SELECT count(*) FROM gateways) AS gateways,
       (SELECT coalesce(sum(stored), 0)::bigint FROM ledger WHERE hour >= %(since)s) AS readings_day

-- name: districts
SELECT district_id, name FROM districts

-- name: lamps
-- Lamps by number. A lamp is faulty while its own ticket is open, out while the ticket of what feeds it is.
SELECT a.asset_id AS id, a.name, a.district_id AS district, d.name AS district_name, a.parent_id AS feeder,
       a.root_id AS cabinet, a.gateway_id AS gateway, a.lat, a.lon, a.attributes ->> 'street' AS street,
       a.attributes ->> 'lamp_type' AS type, (a.attributes ->> 'rated_w')::double precision AS rated_w,
       a.attributes ->> 'phase' AS phase,
       CASE WHEN own.ticket_id IS NOT NULL THEN 'faulty' WHEN above.ticket_id IS NOT NULL THEN 'out' ELSE 'ok' END
           AS state,
       coalesce(own.ticket_id, above.ticket_id) AS ticket
  FROM assets a
  LEFT JOIN districts d USING (district_id)
  LEFT JOIN LATERAL (
       SELECT t.ticket_id FROM tickets t
        WHERE t.scope_id = a.asset_id AND t.state IN ('new', 'assigned', 'in_progress', 'recovered', 'resolved')
        ORDER BY t.ticket_id LIMIT 1) own ON true
  LEFT JOIN LATERAL (
       SELECT t.ticket_id FROM tickets t
        WHERE t.scope_id IN (a.parent_id, a.root_id) AND t.incident_key = 'dark'
          AND t.state IN ('new', 'assigned', 'in_progress') AND %(above)s
        ORDER BY t.ticket_id LIMIT 1) above ON true
 WHERE a.kind = 'lamp' AND NOT a.retired AND a.asset_id = ANY(%(ids)s)
 ORDER BY a.asset_id

-- name: lamps_any
-- Numbers of one page of lamps.
SELECT a.asset_id AS id FROM assets a
 WHERE a.kind = 'lamp' AND NOT a.retired
   AND (%(district)s::text IS NULL OR a.district_id = %(district)s)
   AND (%(feeder)s::text IS NULL OR a.parent_id = %(feeder)s)
   AND (%(after)s::text IS NULL OR a.asset_id > %(after)s)
 ORDER BY a.asset_id LIMIT %(limit)s

-- name: lamps_ok
-- Numbers of lamps of which no ticket speaks; the few that one speaks of are looked up once.
SELECT a.asset_id AS id FROM assets a
 WHERE a.kind = 'lamp' AND NOT a.retired
   AND a.asset_id NOT IN (SELECT t.scope_id FROM tickets t
                           WHERE t.state IN ('new', 'assigned', 'in_progress', 'recovered', 'resolved'))
   AND ARRAY[a.parent_id, a.root_id] && ARRAY(
           SELECT t.scope_id FROM tickets t
            WHERE t.incident_key = 'dark' AND t.scope_kind IN ('feeder', 'cabinet') AND %(above)s
              AND t.state IN ('new', 'assigned', 'in_progress')) IS NOT TRUE
   AND (%(district)s::text IS NULL OR a.district_id = %(district)s)
   AND (%(feeder)s::text IS NULL OR a.parent_id = %(feeder)s)
   AND (%(after)s::text IS NULL OR a.asset_id > %(after)s)
 ORDER BY a.asset_id LIMIT %(limit)s

-- name: lamps_faulty
-- Numbers of lamps with an open ticket of their own: found from the few tickets, not from the many lamps.
SELECT a.asset_id AS id FROM assets a
 WHERE a.kind = 'lamp' AND NOT a.retired
   AND a.asset_id = ANY(ARRAY(SELECT t.scope_id FROM tickets t
                               WHERE t.state IN ('new', 'assigned', 'in_progress', 'recovered', 'resolved')))
   AND (%(district)s::text IS NULL OR a.district_id = %(district)s)
   AND (%(feeder)s::text IS NULL OR a.parent_id = %(feeder)s)
   AND (%(after)s::text IS NULL OR a.asset_id > %(after)s)
 ORDER BY a.asset_id LIMIT %(limit)s

-- name: lamps_out
-- Numbers of lamps without a ticket of their own, below a feeder or cabinet that is out.
WITH dark AS MATERIALIZED (
    SELECT t.scope_id FROM tickets t
     WHERE t.incident_key = 'dark' AND t.scope_kind IN ('feeder', 'cabinet') AND %(above)s
       AND t.state IN ('new', 'assigned', 'in_progress')
)
SELECT a.asset_id AS id FROM assets a
 WHERE a.kind = 'lamp' AND NOT a.retired
   AND a.parent_id IN (SELECT scope_id FROM dark
                       UNION SELECT f.asset_id FROM assets f JOIN dark ON f.parent_id = dark.scope_id)
   AND NOT EXISTS (SELECT FROM tickets t
                    WHERE t.scope_id = a.asset_id
                      AND t.state IN ('new', 'assigned', 'in_progress', 'recovered', 'resolved'))
   AND (%(district)s::text IS NULL OR a.district_id = %(district)s)
   AND (%(feeder)s::text IS NULL OR a.parent_id = %(feeder)s)
   AND (%(after)s::text IS NULL OR a.asset_id > %(after)s)
 ORDER BY a.asset_id LIMIT %(limit)s

-- name: facility_hours
-- When a facility is open, where the pack tells.
SELECT attributes -> 'opening' AS opening FROM assets WHERE asset_id = %(id)s AND kind = 'facility'

-- name: facilities
SELECT a.asset_id AS id, a.name, a.attributes ->> 'kind' AS kind, a.district_id AS district, d.name AS district_name,
       a.lat, a.lon,
       (SELECT count(*) FROM alarms m WHERE m.scope_id = a.asset_id AND m.cleared_at IS NULL) AS alarms
  FROM assets a LEFT JOIN districts d USING (district_id)
 WHERE a.kind = 'facility' AND NOT a.retired
   AND (%(id)s::text IS NULL OR a.asset_id = %(id)s)
   AND (%(district)s::text IS NULL OR a.district_id = %(district)s)
   AND (%(kind)s::text IS NULL OR a.attributes ->> 'kind' = %(kind)s)
   AND (%(after)s::text IS NULL OR a.asset_id > %(after)s)
 ORDER BY a.asset_id LIMIT %(limit)s

-- name: asset_alarms
SELECT alarm_id AS id, fault, severity, scope_kind, scope_id, raised_at, cleared_at, parent_id AS parent,
       CASE WHEN cleared_at IS NULL THEN held_by END AS held_by, evidence
  FROM alarms WHERE scope_id = %(asset)s ORDER BY raised_at DESC LIMIT 20

-- name: asset_kind
SELECT kind FROM assets WHERE asset_id = %(asset)s

-- name: asset_series
-- Every metric of an asset with its last value.
SELECT s.series_id AS series, s.device_id AS device, s.metric, m.unit, last.observed_at, last.value, last.quality
  FROM devices d JOIN series s USING (device_id) JOIN metrics m USING (metric)
  LEFT JOIN LATERAL (
       SELECT observed_at, value, quality FROM readings r WHERE r.series_id = s.series_id
        ORDER BY observed_at DESC LIMIT 1) last ON true
 WHERE d.asset_id = %(asset)s AND NOT d.retired AND NOT s.retired
 ORDER BY d.device_id, s.metric

-- name: series_of_asset
-- The series of one metric of an asset.
SELECT s.series_id AS series FROM devices d JOIN series s USING (device_id)
 WHERE d.asset_id = %(asset)s AND s.metric = %(metric)s AND NOT d.retired AND NOT s.retired ORDER BY 1 LIMIT 1

-- name: series_history
-- Raw values of one series for a chart, oldest first.
SELECT observed_at, value FROM (
    SELECT observed_at, value FROM readings WHERE series_id = %(series)s AND observed_at >= %(since)s
       AND observed_at <= %(until)s
     ORDER BY observed_at DESC LIMIT %(limit)s) recent
 ORDER BY observed_at

-- name: series_of
-- Series that a caller names by number, or by device and metric; with the kind of asset, for the rule of visibility.
SELECT s.series_id, s.device_id AS device, s.metric, m.unit
  FROM series s JOIN devices d USING (device_id) JOIN assets a USING (asset_id) JOIN metrics m USING (metric)
 WHERE a.kind <> ALL(%(hidden)s)
   AND (%(series)s::integer IS NULL OR s.series_id = %(series)s)
   AND (%(device)s::text IS NULL OR s.device_id = %(device)s)
   AND (%(metric)s::text IS NULL OR s.metric = %(metric)s)
 ORDER BY s.series_id LIMIT 100

-- name: readings_of
-- One page of the readings of some series, newest first: of each at most a page, so that years of history cost nothing.
SELECT newest.* FROM unnest(%(series)s::integer[]) AS wanted (id)
 CROSS JOIN LATERAL (
       SELECT series_id AS series, observed_at, received_at, value, quality FROM readings
        WHERE series_id = wanted.id
          AND (%(from)s::timestamptz IS NULL OR observed_at >= %(from)s)
          AND (%(to)s::timestamptz IS NULL OR observed_at < %(to)s)
          AND (%(after_at)s::timestamptz IS NULL OR observed_at <= %(after_at)s)
          AND (%(after_at)s::timestamptz IS NULL OR (observed_at, series_id) < (%(after_at)s, %(after_series)s))
        ORDER BY observed_at DESC LIMIT %(limit)s) newest
 ORDER BY observed_at DESC, series DESC LIMIT %(limit)s

-- name: readings_all
-- One page of all readings, in the order of their key.
SELECT r.series_id AS series, s.device_id AS device, s.metric, m.unit, r.observed_at, r.received_at, r.value, r.quality
  FROM readings r JOIN series s USING (series_id) JOIN metrics m USING (metric)
  JOIN devices d USING (device_id) JOIN assets a USING (asset_id)
 WHERE a.kind <> ALL(%(hidden)s)
   AND (%(from)s::timestamptz IS NULL OR r.observed_at >= %(from)s)
   AND (%(to)s::timestamptz IS NULL OR r.observed_at < %(to)s)
   AND (%(after_at)s::timestamptz IS NULL OR (r.series_id, r.observed_at) > (%(after_series)s, %(after_at)s))
 ORDER BY r.series_id, r.observed_at LIMIT %(limit)s
